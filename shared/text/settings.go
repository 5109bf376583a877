package text

// settingsTexts are what both programs say of settings, and of themselves.
var settingsTexts = map[string]message{
	"help_config_file": {
		"The settings file, in TOML. Default: that of the user's configuration folder, else that of /etc/hufu.",
		"设置文件（TOML），默认为用户配置目录中的，其次为 /etc/hufu 中的。",
	},
	"help_version":          {"Print the version and the commit.", "显示版本和提交。"},
	"help_config":           {"The settings: check, show.", "设置：检查、显示。"},
	"help_config_check":     {"Tell what is wrong with the settings; nothing is started or written.", "检查设置有何错误，不启动也不写入任何内容。"},
	"help_config_show":      {"Show every setting, and where its value came from; secrets are masked.", "显示每项设置及其来源，秘密内容以星号代替。"},
	"help_completion":       {"Print the completion script of a shell, for it to source.", "输出命令行补全脚本，供 shell 加载。"},
	"help_completion_shell": {"bash, zsh or fish.", "bash、zsh 或 fish。"},
	"help_man":              {"Print the manual page; read it with: man -l -", "输出手册页，可用 man -l - 阅读。"},

	"help_help":      {"Show help for what stands before.", "显示前面命令的帮助。"},
	"help_usage":     {"Usage:", "用法："},
	"help_flags":     {"Flags:", "选项："},
	"help_arguments": {"Arguments:", "参数："},
	"help_commands":  {"Commands:", "命令："},
	"help_more":      {`Run "%s <command> --help" for more information on a command.`, `运行 "%s <命令> --help" 查看某个命令的详细说明。`},

	"version_line":      {"%s %s, %s, built by %s for %s/%s", "%s %s，%s，由 %s 为 %s/%s 构建"},
	"version_commit":    {"commit %s", "提交 %s"},
	"version_changed":   {"commit %s with changes that were not committed", "提交 %s，另有未提交的改动"},
	"version_no_commit": {"commit unknown: built outside of a git checkout, or told not to record it", "提交未知：构建时不在 git 检出目录中，或未予记录"},

	"set_file":    {"the settings file cannot be read", "无法读取设置文件"},
	"set_syntax":  {"%s:%d: this is not TOML: %s", "%s:%d：不符合 TOML 格式：%s"},
	"set_unknown": {"%s: there is no setting %q; the nearest is %q", "%s：没有名为 %q 的设置，最接近的是 %q"},
	"set_type":    {"%s: %s takes %s, and this is of type %s", "%s：%s 应为%s，此处类型为 %s"},
	"set_value":   {"%s: %s takes %s, not %q", "%s：%s 应为%s，而不是 %q"},

	"want_string":   {`a string, as in "text"`, `字符串，如 "text"`},
	"want_bool":     {"true or false", "布尔值 true 或 false"},
	"want_int":      {"a whole number, without quotes", "整数，不加引号"},
	"want_float":    {"a number, without quotes", "数字，不加引号"},
	"want_duration": {`a duration, as in "90s", "15m" or "24h"`, `时长，如 "90s"、"15m" 或 "24h"`},
	"want_list":     {`a list of strings, as in ["one", "two"]`, `字符串列表，如 ["one", "two"]`},
	"want_one":      {"one of %s", "以下之一：%s"},
	"want_text":     {"a word such as %q", "单词，如 %q"},

	"col_setting": {"SETTING", "设置"},
	"col_value":   {"VALUE", "值"},
	"col_source":  {"FROM", "来源"},

	"source_flag":        {"flag", "命令行"},
	"source_environment": {"environment", "环境变量"},
	"source_file":        {"file", "文件"},
	"source_default":     {"default", "默认值"},

	"help_config_example": {"Print a settings file to begin with: every setting with its default.", "输出设置文件样例，含每项设置及其默认值。"},
	"example_head": {
		"Settings of %s. Every setting stands here with its default: take the # away and change it.\nA flag stands before the variable named here, that before this file, this before the default.\nA key that is not known is an error. config check finds what is wrong, config show where each value came from.",
		"%s 的设置。以下列出每项设置及其默认值：去掉 # 后修改即可。\n优先顺序为：命令行选项、此处所注环境变量、本文件、默认值。\n未知的键会报错。config check 检查错误，config show 显示每个值的来源。",
	},

	"config_ok":      {"The settings are in order; the settings file is %s.", "设置无误，设置文件为 %s。"},
	"config_no_file": {"The settings are in order; there is no settings file. Looked for: %s", "设置无误，没有设置文件。已查找：%s"},

	"man_name":        {"NAME", "名称"},
	"man_synopsis":    {"SYNOPSIS", "概要"},
	"man_description": {"DESCRIPTION", "描述"},
	"man_flags":       {"OPTIONS", "选项"},
	"man_commands":    {"COMMANDS", "命令"},
	"man_settings":    {"SETTINGS", "设置"},
	"man_environment": {"ENVIRONMENT", "环境变量"},
	"man_exit":        {"EXIT STATUS", "退出码"},
	"man_default":     {"Default: %s.", "默认值：%s。"},
	"man_order": {
		"Every option that names a variable is a setting. A flag stands before the variable, the variable before the settings file, the file before the default. The file is TOML; its keys are the flags' names without the dashes. The command config show tells where each value came from.",
		"凡注明环境变量的选项都是设置。优先顺序为：命令行选项、环境变量、设置文件、默认值。设置文件为 TOML 格式，键名即去掉横线前缀的选项名。config show 命令显示每个值的来源。",
	},

	"exit_0": {"Done.", "完成。"},
	"exit_1": {"Failure.", "失败。"},
	"exit_2": {"The command line, the environment or the settings file is wrong.", "命令行、环境变量或设置文件有误。"},
	"exit_3": {"The server, or a rule, refused.", "被服务器或规则拒绝。"},
	"exit_4": {"The server or the database cannot be reached.", "无法连接服务器或数据库。"},
	"exit_5": {"The two ends hold different keys.", "两端密钥不一致。"},
	"exit_6": {"Shared memory: absent, full, of another version, or in use.", "共享内存：不存在、已满、版本不符或正被占用。"},
	"exit_7": {"From status: the current key ends soon and has no successor.", "status：当前密钥即将到期，尚无新密钥接替。"},
	"exit_8": {"From status: no key is current.", "status：没有当前密钥。"},
	"exit_9": {"From status: no agent runs that would renew the current key.", "status：没有代理程序在运行，当前密钥无人更新。"},
}

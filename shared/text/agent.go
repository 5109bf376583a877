package text

// agentTexts are what the agent says, and what is said of it.
var agentTexts = map[string]message{
	"help_agent": {
		"Keep a current key in shared memory, unattended: renew, verify, publish, wipe. Ends on SIGTERM; the keys stay until their ends.",
		"无人值守地保持共享内存中的当前密钥：更新、校验、发布、清除。收到 SIGTERM 时退出，密钥保留至各自到期。",
	},
	"help_status": {
		"Tell how this outlet stands, with or without a running agent. Exit codes: 0 fresh, 7 the key ends soon, 8 no current key, 9 no agent runs.",
		"显示本网点的状态，代理程序是否运行均可。退出码：0 正常，7 密钥即将到期，8 没有当前密钥，9 代理程序未运行。",
	},
	"help_watch":  {"Show it again whenever it changes, until interrupted.", "有变化时重新显示，直到中断。"},
	"help_server": {"The server's addresses, tried in order, in place of the token's. Several by commas.", "服务器地址，按顺序尝试，代替令牌中的地址，可用逗号并列。"},
	"help_run": {
		"Folder of the agent's status file. Default: $RUNTIME_DIRECTORY, else $XDG_RUNTIME_DIR/hufu, else that of the enrolment.",
		"代理程序状态文件所在目录，默认为 $RUNTIME_DIRECTORY，其次 $XDG_RUNTIME_DIR/hufu，再次为登记目录。",
	},
	"help_reverify":      {"How often every held key is verified again.", "多久重新校验一次所持的全部密钥。"},
	"help_on_change":     {"Run this by /bin/sh when the current key changes or is gone; its number and fingerprint are in the environment, never the key.", "当前密钥更换或消失时由 /bin/sh 执行的命令；环境变量中有密钥号和指纹，绝无密钥本身。"},
	"help_agent_metrics": {"Address for Prometheus, such as :9470, which is on the loopback. Empty: none.", "供 Prometheus 抓取的监听地址，如 :9470 即只在本机监听；留空则不提供。"},

	"err_server_url": {"--server %q is not an address like https://keys.example.com/hufu, without a final slash", "--server %q 不是 https://keys.example.com/hufu 这样末尾不带斜杠的地址"},
	"err_reverify":   {"--reverify %s is less than %s", "--reverify %s 小于最小值 %s"},
	"err_locked_by":  {"%s; it is process %d", "%s；占用它的是进程 %d"},

	"fresh_none":  {"there has been no key", "尚无密钥"},
	"fresh_fresh": {"fresh", "正常"},
	"fresh_soon":  {"ends soon, and has no successor", "即将到期，尚无后继密钥"},
	"fresh_stale": {"stale: not current any more", "已失效，不再是当前密钥"},

	"status_outlet":         {"outlet", "网点"},
	"status_segment":        {"shared memory", "共享内存"},
	"status_current":        {"key", "密钥"},
	"status_key":            {"%d  %s  %s", "%d 号  %s  %s"},
	"status_until":          {"until", "有效至"},
	"status_agent":          {"agent", "代理程序"},
	"status_agent_runs":     {"runs, process %d", "运行中，进程 %d"},
	"status_agent_none":     {"does not run", "未运行"},
	"status_renewal":        {"next renewal", "下次更新"},
	"status_connection":     {"connection", "连接"},
	"status_connected":      {"%s, since %s", "%s，自 %s"},
	"status_not_connected":  {"none, since %s", "无，自 %s"},
	"status_success":        {"last success", "最近成功"},
	"status_did_verified":   {"all keys verified", "全部密钥已校验"},
	"status_did_negotiated": {"a key negotiated", "已协商新密钥"},
	"status_failure":        {"last failure", "最近失败"},
	"status_warning":        {"warning", "警告"},

	"status_none":     {"there is no key here yet; start the agent, or run: hufu negotiate", "本机尚无密钥；请启动代理程序，或运行 hufu negotiate"},
	"status_stale":    {"no key is current here any more", "本机已没有当前密钥"},
	"status_no_agent": {"no agent runs here that would renew the key", "本机没有运行中的代理程序来更新密钥"},
	"status_soon":     {"the current key ends soon and has no successor", "当前密钥即将到期，尚无后继密钥"},

	"warn_on_change": {"the command on a change failed: %s", "密钥更换时执行的命令失败：%s"},
	"watch_gone":     {"There is no such segment; waiting for it.", "共享内存不存在，正在等待。"},
}

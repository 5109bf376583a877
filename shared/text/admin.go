package text

// adminTexts are what hufu admin says.
var adminTexts = map[string]message{
	"help_admin": {
		"Administer outlets, keys and people with an operator's token; an auditor's looks only.",
		"用管理员令牌管理网点、密钥和人员；审计员令牌只能查看。",
	},
	"help_admin_overview": {"How the network is: outlets, keys, the last 24 hours, the last events.", "网络概况：网点、密钥、最近 24 小时和最近事件。"},
	"help_admin_outlets":  {"List outlets, with who is online and how their keys stand.", "列出网点、在线情况和密钥情况。"},
	"help_admin_outlet":   {"Show one client, its secrets and its newest keys.", "显示一个客户端、其共享秘密和最新的密钥。"},
	"help_admin_key":      {"Show one key: how it came to where it stands, and whether the outlet wiped it.", "显示一个密钥的经历，以及网点是否已清除。"},
	"help_admin_events":   {"List who did what when, newest first; --follow shows it as it happens.", "列出谁在何时做了什么，最新的在前；--follow 则持续显示。"},
	"help_admin_enrol":    {"Enrol an outlet or a person; the token is shown once, or written to a file.", "登记网点或人员；令牌只显示一次，或写入文件。"},
	"help_admin_enable":   {"Let a disabled client in again.", "重新启用。"},
	"help_admin_disable":  {"Refuse a client and close its connections; its keys stay as they are.", "停用客户端并断开其连接；密钥不变。"},
	"help_admin_revoke":   {"End any outlet's key for good; if it is online it wipes the key at once.", "永久注销任一网点的密钥；网点在线时立即清除。"},
	"help_admin_role":     {"outlet; operator, who enrols, disables and revokes; or auditor, who only looks.", "outlet 网点；operator 管理员，可登记、停用、注销；auditor 审计员，只能查看。"},
	"help_admin_epoch": {
		"Do it only if this is still the newest epoch, so that two people do not both replace the secret.",
		"仅当最新一代仍为此值时才执行，避免两人重复更换共享秘密。",
	},
	"help_admin_freshness": {
		"Only those whose key stands so: fresh; soon: less than a quarter of its lifetime is left; stale: it had one and has none now; none: it never had one.",
		"只列出密钥处于此情况的：fresh 正常；soon 剩余不足有效期的四分之一；stale 曾有密钥而现已失效；none 从未有过。",
	},
	"help_admin_disabled": {"Only those that are disabled; --no-disabled: only those that are not.", "只列出已停用的；--no-disabled 则只列出未停用的。"},
	"help_admin_people":   {"Operators and auditors instead of outlets.", "列出管理员和审计员，而不是网点。"},
	"help_admin_follow":   {"Go on and show events as they come; --limit N begins with the last N.", "持续显示新事件；--limit N 先显示最近 N 条。"},
	"help_yes":            {"Do not ask.", "不再询问。"},

	"col_hour": {"HOUR", "时段"},

	"admin_outlets_line": {"Outlets: %d, of them %d online and %d disabled.", "网点：%d 个，其中在线 %d 个，停用 %d 个。"},
	"admin_fresh_line":   {"Their keys: %d good, %d end soon, %d ended, %d never had one.", "密钥情况：正常 %d，即将到期 %d，失效 %d，从未有过 %d。"},
	"admin_keys_line":    {"Keys: %d active, %d retired, %d pending; in the last 24 hours %d revoked, %d expired.", "密钥：当前 %d，已替换 %d，待校验 %d；最近 24 小时注销 %d，过期 %d。"},

	"admin_enabled":      {"%s is enabled.", "%s 已启用。"},
	"admin_was_enabled":  {"%s was enabled already.", "%s 原本就是启用状态。"},
	"admin_disabled":     {"%s is disabled; its connections are closed. Its keys stay as they are: revoke them if they must not be used.", "%s 已停用，连接已断开。其密钥不变，如不应再用，请注销。"},
	"admin_was_disabled": {"%s was disabled already.", "%s 原本就是停用状态。"},
	"admin_revoked":      {"Key %d of %s is revoked.", "%[2]s 的密钥 %[1]d 已注销。"},
	"admin_was_revoked":  {"Key %d of %s was revoked already; the first reason stays.", "%[2]s 的密钥 %[1]d 此前已注销，保留最初的原因。"},

	"admin_will_cut":     {"The secret of %s is erased now, its connections are closed, and all its keys are revoked. This cannot be taken back.", "将立即清除 %s 的共享秘密、断开其连接并注销其全部密钥，不可撤销。"},
	"admin_will_disable": {"%s is refused from now on, and its connections are closed.", "将停用 %s 并断开其连接。"},
	"admin_will_revoke":  {"Key %d of %s is ended for good, at both ends.", "将在两端永久注销 %[2]s 的密钥 %[1]d。"},
	"admin_sure":         {"Go on? [y/N] ", "继续？[y/N] "},
	"admin_needs_yes":    {"%s To do so without a terminal, say --yes", "%s 不在终端上运行时，请加 --yes"},
	"admin_not_done":     {"nothing was done", "未执行"},

	"admin_no_client":   {"nobody is enrolled as %s", "没有登记过 %s"},
	"admin_exists":      {"%s is enrolled already; for another token run: hufu admin new-secret", "%s 已登记；如需新令牌，请运行 hufu admin new-secret"},
	"admin_self":        {"you cannot disable yourself; another operator can", "不能停用自己，请由其他管理员操作"},
	"admin_no_key":      {"%s has no key %d; hufu view --outlet lists those that there are", "%s 没有密钥 %d；hufu view --outlet 可列出"},
	"admin_key_expired": {"key %[2]d of %[1]s has expired: there is nothing left to revoke", "%s 的密钥 %d 已过期，无可注销"},
	"admin_no_number":   {"%d is not a key's number", "%d 不是密钥号"},
	"admin_no_epoch":    {"--epoch %d is beyond the last possible one", "--epoch %d 超出可能的最大值"},
	"admin_note":        {"--note must be one line of at most %d bytes, without control characters", "--note 只能是一行，最多 %d 字节，不含控制字符"},
	"admin_query":       {"--query must be one line of at most %d bytes, without control characters", "--query 只能是一行，最多 %d 字节，不含控制字符"},
	"admin_follow":      {"--follow goes with --limit up to %d, and not with --from and --to", "--follow 可与 --limit（最多 %d）同用，不能与 --from、--to 同用"},
	"admin_stale": {
		"nothing was done: %s has a newer secret meanwhile, of epoch %d; look again before you replace it",
		"未执行：%s 的共享秘密已被更换，最新为第 %d 代；请查看后再决定",
	},
	"admin_in_doubt": {
		"whether the token of %s was made is not known, and it is lost if it was: %s. Look with: hufu admin outlet ID; then make another with: hufu admin new-secret ID",
		"无法确定 %s 的令牌是否已生成，若已生成也已丢失：%s。请用 hufu admin outlet 标识 查看，再用 hufu admin new-secret 标识 重新生成",
	},
	"admin_lost":  {"-- some events were left out here; hufu admin events lists them --", "-- 此处遗漏了一些事件，可用 hufu admin events 查看 --"},
	"admin_retry": {"%s; trying again in %s", "%s；%s 后重试"},
}

package text

// helpTexts explain the console's words, on its page of help.
var helpTexts = map[string]message{
	"console_help":           {"Help", "帮助"},
	"console_help_states":    {"States of a key", "密钥的状态"},
	"console_help_freshness": {"How fresh an outlet is", "网点密钥的新旧"},
	"console_help_acts":      {"What an operator can do", "管理员可执行的操作"},
	"console_help_reasons":   {"Reasons", "原因"},
	"console_help_kinds":     {"Events", "事件"},
	"console_help_people":    {"Who is who", "角色"},
	"console_help_keyboard":  {"Keyboard", "键盘"},

	"console_help_state_pending": {
		"The server has computed the key and waits for the outlet's proof. After a minute without one it expires.",
		"服务器已算出密钥，等待网点证明；一分钟内未证明即过期。",
	},
	"console_help_state_active": {
		"Both ends have proved that they hold it. It is the one to seal with; an outlet has at most one.",
		"两端均已证明持有，用于加密。每个网点至多一个。",
	},
	"console_help_state_retired": {
		"A newer key has taken its place. Until its end it opens what was sealed under it.",
		"已有新密钥取代。到期之前仍可打开用它加密的内容。",
	},
	"console_help_state_expired": {
		"Its time was over. Both ends wiped it; the record stays.",
		"期限已到，两端均已清除，仅保留记录。",
	},
	"console_help_state_revoked": {
		"Somebody ended it for good. The centre erased it at once, connected outlets wipe it within a second, the others at their next contact, before anything else.",
		"已被人为永久终止。根网点立即抹除；在线网点一秒内清除，离线网点下次联系时首先清除。",
	},

	"console_help_fresh_fresh": {"The active key has a good while to go.", "当前密钥离到期尚早。"},
	"console_help_fresh_soon": {
		"Less than a quarter of the active key's lifetime is left. An agent renews at half of it, so look why this one has not.",
		"当前密钥剩余不足四分之一有效期。代理程序在过半时即更新，请检查为何尚未更新。",
	},
	"console_help_fresh_stale": {
		"The outlet had a key and has no active one now: its applications have nothing to seal with.",
		"网点曾有密钥，但现在没有当前密钥：其应用无法加密。",
	},
	"console_help_fresh_none": {"The outlet has never verified a key.", "网点从未校验过密钥。"},

	"console_help_act_revoke": {
		"Ends one key for good. What was sealed under it can never be opened again; the outlet may agree on another at once.",
		"永久终止一个密钥。用它加密的内容再也无法打开；网点可立即协商新的密钥。",
	},
	"console_help_act_disable": {
		"Closes the outlet's connections and lets it open none. Its keys stay until their end: revoke them if they are not to be used.",
		"断开网点的连接，且不再允许连接。其密钥保留到期满；如不应再用，请注销。",
	},
	"console_help_act_newsecret": {
		"Makes a new token. The old one stays good until the outlet first connects with the new one.",
		"生成新令牌。网点首次用新令牌连接之前，旧令牌仍然有效。",
	},
	"console_help_act_cut": {
		"For when a token or a machine has fallen into other hands: the old token is dead at once, connections are closed and all the outlet's keys are revoked.",
		"用于令牌或设备落入他人之手：旧令牌立即失效，连接断开，该网点的全部密钥注销。",
	},

	"console_help_reason_0":   {"Whoever did it gave no reason.", "操作者未说明原因。"},
	"console_help_reason_1":   {"As planned, or by the clock.", "按计划或到期。"},
	"console_help_reason_2":   {"Somebody else may know the key, or could have used it.", "密钥可能已为他人所知或使用。"},
	"console_help_reason_3":   {"The outlet is given up.", "网点已停止运营。"},
	"console_help_reason_4":   {"A newer key took its place.", "已有新密钥取代。"},
	"console_help_reason_5":   {"The outlet's secret was cut, and with it every key of it.", "网点的共享秘密已切断，其全部密钥随之注销。"},
	"console_help_reason_own": {"Your installation's own; what they mean is written in your rules.", "贵单位自定义，含义见内部规定。"},

	"console_help_kind_negotiated":   {"Outlet and server agreed on a key; its proof is still due.", "网点与服务器协商了密钥，尚待证明。"},
	"console_help_kind_verified":     {"Both ends proved that they hold the key, and it became active.", "两端证明持有密钥，密钥成为当前密钥。"},
	"console_help_kind_retired":      {"A newer key took the place of this one.", "被更新的密钥取代。"},
	"console_help_kind_expired":      {"A key reached its end.", "密钥到期。"},
	"console_help_kind_revoked":      {"A key was ended for good.", "密钥被永久终止。"},
	"console_help_kind_receipt":      {"The outlet confirmed that it has wiped a key.", "网点确认已清除密钥。"},
	"console_help_kind_mismatch":     {"The two ends held different keys: a copy was damaged, or somebody interfered. The outlet wipes its copy and agrees anew.", "两端密钥不一致：副本损坏或有人干扰。网点清除副本并重新协商。"},
	"console_help_kind_refused":      {"Somebody tried what the role may not do. The note says what.", "有人尝试其角色无权执行的操作，备注说明详情。"},
	"console_help_kind_enrolled":     {"An outlet or a person was enrolled and a token made.", "登记了网点或人员，并生成令牌。"},
	"console_help_kind_opened":       {"A token was used for the first time; an earlier one is dead from here on.", "令牌首次使用；此前的令牌从此失效。"},
	"console_help_kind_new-secret":   {"A new token was made.", "生成了新令牌。"},
	"console_help_kind_secret-gone":  {"A token that nobody used for seven days was erased.", "七天无人使用的令牌已清除。"},
	"console_help_kind_cut":          {"The old token was made worthless at once, and the outlet's keys were revoked.", "旧令牌立即作废，网点的密钥已注销。"},
	"console_help_kind_disabled":     {"The outlet is let in no longer.", "不再允许网点连接。"},
	"console_help_kind_enabled":      {"The outlet is let in again.", "重新允许网点连接。"},
	"console_help_kind_connected":    {"The outlet came; it had no connection before.", "网点上线，此前没有连接。"},
	"console_help_kind_disconnected": {"The outlet's last connection ended.", "网点的最后一个连接已断开。"},
	"console_help_kind_restored":     {"The centre's store came from a backup.", "根网点的数据由备份恢复。"},

	"console_help_role_outlet":   {"A branch, a terminal or a device. It sees its own keys only.", "分支、终端或设备，只能看到自己的密钥。"},
	"console_help_role_operator": {"Sees everything, and may enrol, disable, cut and revoke.", "可查看全部，并可登记、停用、切断和注销。"},
	"console_help_role_auditor":  {"Sees everything and changes nothing; every attempt to is refused and recorded.", "可查看全部，不能更改；任何更改尝试都会被拒绝并记录。"},

	"console_help_goes":      {"go to %s", "转到%s"},
	"console_help_search":    {"look for an outlet", "查找网点"},
	"console_help_shortcuts": {"Use these keys. Turn them off if you speak to your machine or press keys by accident.", "启用快捷键。若使用语音输入或容易误触，请关闭。"},
}

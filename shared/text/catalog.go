package text

import "maps"

// catalog is every text, by key.
var catalog = merge(parts...)

// parts are what it is made of. They stand in files of their own.
var parts = []map[string]message{
	words,
	settingsTexts,
	errorTexts,
	serverTexts,
	clientTexts,
	pageTexts,
	consoleTexts,
	presenceTexts,
	adminTexts,
	historyTexts,
	eventTexts,
	helpTexts,
	agentTexts,
	publishTexts,
	overviewTexts,
}

func merge(parts ...map[string]message) map[string]message {
	all := make(map[string]message)
	for _, p := range parts {
		maps.Copy(all, p)
	}
	return all
}

// words are what both programs name alike.
var words = map[string]message{
	"state_pending": {"pending", "待校验"},
	"state_active":  {"active", "当前"},
	"state_retired": {"retired", "已替换"},
	"state_expired": {"expired", "已过期"},
	"state_revoked": {"revoked", "已注销"},

	"reason_0": {"unspecified", "未说明"},
	"reason_1": {"routine", "例行"},
	"reason_2": {"key compromised", "密钥泄露"},
	"reason_3": {"outlet closed", "网点关闭"},
	"reason_4": {"superseded", "被新密钥取代"},
	"reason_5": {"secret cut", "切断共享秘密"},

	"role_outlet":   {"outlet", "网点"},
	"role_operator": {"operator", "管理员"},
	"role_auditor":  {"auditor", "审计员"},

	"col_outlet":   {"OUTLET", "网点"},
	"col_key":      {"KEY", "密钥号"},
	"col_state":    {"STATE", "状态"},
	"col_fp":       {"FINGERPRINT", "指纹"},
	"col_verified": {"VERIFIED", "校验时间"},
	"col_expires":  {"EXPIRES", "到期时间"},
	"col_ended":    {"ENDED", "结束时间"},
	"col_reason":   {"REASON", "原因"},
	"col_receipt":  {"RECEIPT", "回执"},
	"col_role":     {"ROLE", "角色"},
	"col_status":   {"STATUS", "状态"},
	"col_enrolled": {"ENROLLED", "登记时间"},
	"col_at":       {"AT", "时间"},
	"col_by":       {"BY", "操作者"},

	"help_json": {"Print JSON, one object a line, for scripts.", "以 JSON 输出，每行一个对象，供脚本使用。"},
	"help_lang": {"Language: en or zh. Default: by the locale.", "语言：en 或 zh，默认按系统区域设置。"},
	"help_from": {"Only keys that lived at or after this date (2026-11-24) or time (RFC 3339).", "只列出在此日期（2026-11-24）或时间（RFC 3339）之后仍有效过的密钥。"},
	"help_to":   {"Only keys that lived before the end of this date, or before this time.", "只列出在此日期结束之前或此时间之前有效过的密钥。"},
	"help_state": {
		"Only keys in this state: pending, active, retired, expired or revoked. Several by commas.",
		"只列出此状态的密钥：pending、active、retired、expired、revoked，可用逗号并列。",
	},
	"help_limit":    {"At most so many; 0: all.", "最多列出多少条；0 为全部。"},
	"help_seckeyid": {"The key's number.", "密钥号（seckeyid）。"},
	"help_reason": {
		"Why: 0 unspecified, 1 routine, 2 key compromised, 3 outlet closed, above 5 your own.",
		"原因：0 未说明，1 例行，2 密钥泄露，3 网点关闭，5 以上自定义。",
	},
}

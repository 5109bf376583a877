package text

// presenceTexts are about who is connected, and how an outlet stands with its key.
var presenceTexts = map[string]message{
	"freshness_none":  {"no key yet", "尚无密钥"},
	"freshness_fresh": {"good", "正常"},
	"freshness_soon":  {"ends soon", "即将到期"},
	"freshness_stale": {"ended", "失效"},

	"connected":  {"online", "在线"},
	"seen_at":    {"last seen %s", "最后在线 %s"},
	"seen_never": {"never seen", "从未上线"},

	"col_seen":      {"LAST SEEN", "最后在线"},
	"col_freshness": {"HOW ITS KEY STANDS", "密钥情况"},
	"col_ends":      {"ENDS", "有效至"},

	"help_freshness": {
		"Only those whose key stands so: fresh; soon: less than a quarter of its lifetime is left; stale: it had one and has none now; none: it never had one. Several by commas.",
		"只列出密钥处于此情况的网点：fresh 正常；soon 剩余不足有效期的四分之一；stale 曾有密钥而现已失效；none 从未有过。可用逗号并列。",
	},
	"help_connected": {"Only those that are connected now; --connected=false: only those that are not.", "只列出当前在线的；--connected=false 则只列出离线的。"},
	"err_freshness":  {"%q is not how a key can stand: fresh, soon, stale or none", "没有 %q 这种密钥情况，只有 fresh、soon、stale、none"},

	"help_unreceipted": {"Only revoked keys whose outlet has not yet confirmed that it wiped them.", "只列出网点尚未确认清除的已注销密钥。"},
	"receipt_line": {
		"%s: the outlet confirmed at %s, over connection %s, that it wiped its copies",
		"%s：网点于 %s 经连接 %s 确认已清除其副本",
	},
	"receipt_missing": {
		"%s: the outlet has not confirmed that it wiped its copies",
		"%s：网点尚未确认清除其副本",
	},

	"help_metrics_listen": {
		"Address of a listener of its own for Prometheus, such as :9471, which is on the loopback. Empty: none.",
		"供 Prometheus 抓取的独立监听地址，如 :9471 即只在本机监听；留空则不提供。",
	},
}

package text

// overviewTexts tell on a terminal how the network is.
var overviewTexts = map[string]message{
	"help_overview": {
		"Tell how the network is: outlets, keys, the last 24 hours, what happened last.",
		"显示全网概况：网点、密钥、最近 24 小时的情况和最新事件。",
	},
	"overview_outlets":   {"Outlets: %d, of which %d are disabled and %d online.", "网点：共 %d 个，其中停用 %d 个，在线 %d 个。"},
	"overview_freshness": {"Their keys: %d good, %d end soon, %d have ended, %d never had one.", "网点密钥：正常 %d 个，即将到期 %d 个，失效 %d 个，尚无 %d 个。"},
	"overview_keys":      {"Living keys: %d active, %d retired, %d pending.", "有效密钥：当前 %d 个，已替换 %d 个，待校验 %d 个。"},
	"overview_day": {
		"Last 24 hours: %d negotiated, %d verified, %d mismatches, %d attempts refused, %d revoked, %d expired.",
		"最近 24 小时：协商 %d 次，校验 %d 次，不一致 %d 次，拒绝 %d 次，注销 %d 个，过期 %d 个。",
	},
}

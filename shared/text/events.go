package text

// eventTexts are what the console says of the changes as they happen.
var eventTexts = map[string]message{
	"console_events":         {"Events", "事件"},
	"console_event":          {"Event", "事件"},
	"console_at":             {"Time", "时间"},
	"console_why":            {"Why", "原因"},
	"console_kinds":          {"Kinds", "类型"},
	"console_kinds_all":      {"all", "全部"},
	"console_kinds_some":     {"%d chosen", "已选 %d 种"},
	"console_kinds_keys":     {"Keys", "密钥"},
	"console_kinds_trouble":  {"Trouble", "异常"},
	"console_kinds_outlets":  {"Outlets and people", "网点与人员"},
	"console_kinds_presence": {"Connections", "连接"},
	"console_live_live":      {"Live: what happens appears here at once.", "实时：发生的事件立即显示。"},
	"console_live_paused":    {"Paused: new events are kept back.", "已暂停：新事件暂不显示。"},
	"console_live_offline":   {"Not connected: what is missed is read when the connection is back.", "未连接：恢复连接后补读遗漏的事件。"},
	"console_pause":          {"Pause", "暂停"},
	"console_go_on":          {"Go on", "继续"},
	"console_go_on_held":     {"Go on: %s new", "继续：%s 条新事件"},
	"console_earlier_events": {"Earlier events", "更早的事件"},
	"console_events_end":     {"This is where the record begins.", "记录从这里开始。"},
	"console_events_none":    {"No event fits this selection.", "没有符合条件的事件。"},
	"console_events_empty":   {"Nothing has happened yet.", "尚无事件。"},
	"console_events_anew": {
		"At %s more had happened than was shown here: the list begins anew with the newest. Nothing is lost, the earlier ones follow below.",
		"%s 时未显示的事件过多，列表已从最新处重新开始；没有丢失，更早的可在下方继续查看。",
	},
}

package text

// consoleTexts are what the operator's console says, apart from what
// shared/text/page.go has for every page.
var consoleTexts = map[string]message{
	"console_name":    {"Hufu: the console", "虎符：控制台"},
	"console_title":   {"%s · Hufu", "%s · 虎符"},
	"console_nav":     {"Pages", "页面导航"},
	"console_loading": {"Loading the console", "正在加载控制台"},
	"console_cancel":  {"Cancel", "取消"},
	"console_close":   {"Close", "关闭"},
	"console_lost":    {"There is no such page", "没有这个页面"},
	"console_lost_go": {"Go to the overview", "转到概览"},

	"console_overview": {"Overview", "概览"},
}

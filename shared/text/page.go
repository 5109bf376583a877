package text

import (
	"slices"
	"strings"
)

// pagePrefixes are what the keys begin with that the page may ask for.
var pagePrefixes = []string{"page_", "console_", "state_", "reason_", "role_", "kind_"}

// Page is what the page in the browser needs of the catalog, in one language.
func (l Lang) Page() map[string]string {
	all := make(map[string]string)
	for key := range catalog {
		if slices.ContainsFunc(pagePrefixes, func(p string) bool { return strings.HasPrefix(key, p) }) {
			all[key] = l.T(key)
		}
	}
	return all
}

// pageTexts are what the page in the browser says.
var pageTexts = map[string]message{
	"page_title":  {"Hufu: agree on a key", "虎符：协商密钥"},
	"page_skip":   {"Skip to the content", "跳到正文"},
	"page_lock":   {"Lock", "锁定"},
	"page_at":     {"connected to", "已连接"},
	"page_not_at": {"not connected to", "未连接"},
	"page_footer": {
		"Hufu is named after the tiger tally: an order was valid only where the court's half fitted the general's.",
		"虎符：朝廷与将领各执一半，两半相合，命令方才有效。",
	},
	"page_old": {
		"This browser is too old for this page. Use Firefox, Chrome, Edge or Safari of 2023 or later.",
		"浏览器版本过低，无法使用本页面。请使用 2023 年或之后的 Firefox、Chrome、Edge 或 Safari。",
	},
	"page_no_script": {
		"This page needs JavaScript: the keys are computed here, in your browser.",
		"本页面需要 JavaScript：密钥在您的浏览器中计算。",
	},

	"page_headline": {"Two halves, one key", "两半相合，方成一钥"},
	"page_lede": {
		"Your browser and the server make a secret key together. The key itself is never sent: whoever sits between them may read, copy and change every message, and still does not have it.",
		"浏览器与服务器共同生成一个密钥。密钥本身从不发送：中间人可以读取、复制、篡改每一条消息，却仍得不到它。",
	},
	"page_half_browser": {"your half", "您的一半"},
	"page_half_server":  {"the server's half", "服务器的一半"},
	"page_step_1":       {"Each draws a half", "各出一半"},
	"page_step_1_text": {
		"Both ends draw random numbers. Some they send; the private ones they keep.",
		"两端各自生成随机数：一部分发送，私有的部分留在本端。",
	},
	"page_step_2": {"Both compute the same", "算出同一密钥"},
	"page_step_2_text": {
		"From what came and what was kept, each end computes the key. What was sent is not enough.",
		"两端用收到的和留下的部分算出密钥。只凭发送过的内容算不出来。",
	},
	"page_step_3": {"Each proves it", "互相证明"},
	"page_step_3_text": {
		"Each shows the other that it has the key, without showing the key. Now the halves fit.",
		"两端互相证明持有密钥，而不出示密钥。至此两半相合。",
	},

	"page_token":        {"Token", "令牌"},
	"page_token_file":   {"From a file", "选择文件"},
	"page_token_help":   {"Whoever runs the server makes a token for your outlet:", "令牌由服务器的管理者为网点生成："},
	"page_remember":     {"Remember it in this tab until the tab is closed", "在此标签页中记住，关闭标签页即清除"},
	"page_connect":      {"Connect", "连接"},
	"page_loading":      {"Loading the client: 1 MB, once", "正在加载客户端：1 MB，仅需一次"},
	"page_connecting":   {"Connecting", "正在连接"},
	"page_other_token":  {"Use another token", "改用其他令牌"},
	"page_from_address": {"The token came with the address and was taken out of it at once.", "令牌来自网址，已立即从网址中移除。"},
	"page_bad_file":     {"This file is too large to be a token.", "文件过大，不是令牌。"},
	"page_locked_button": {
		"Locked. The keys and the token are wiped from this page.",
		"已锁定。本页面的密钥和令牌已清除。",
	},
	"page_locked_idle": {
		"Locked, since nobody touched the page for a while. The keys and the token are wiped from it.",
		"页面闲置过久，已自动锁定。密钥和令牌已清除。",
	},

	"page_offline":   {"The connection is lost.", "连接已断开。"},
	"page_refused":   {"The server did not let this token in.", "服务器未接受此令牌。"},
	"page_retry":     {"Next attempt in %d s", "%d 秒后重试"},
	"page_clock":     {"This machine's clock is off.", "本机时钟不准。"},
	"page_lock_soon": {"This page is about to lock.", "页面即将锁定。"},
	"page_stay":      {"Keep it open", "保持打开"},
	"page_clock_behind": {
		"It is %s behind the server's. Keys do not depend on it, but the times shown here do.",
		"比服务器慢 %s。密钥不受影响，但此处显示的时间不准。",
	},
	"page_clock_ahead": {
		"It is %s ahead of the server's. Keys do not depend on it, but the times shown here do.",
		"比服务器快 %s。密钥不受影响，但此处显示的时间不准。",
	},
	"page_days":    {"%d d", "%d 天"},
	"page_hours":   {"%d h", "%d 小时"},
	"page_minutes": {"%d min", "%d 分"},
	"page_seconds": {"%d s", "%d 秒"},

	"page_panel":         {"The key", "密钥"},
	"page_key":           {"Key", "密钥号"},
	"page_state":         {"State", "状态"},
	"page_ends_in":       {"Ends in", "剩余时间"},
	"page_fingerprint":   {"Fingerprint", "指纹"},
	"page_fp_browser":    {"Computed here", "浏览器算出"},
	"page_fp_server":     {"Server's record", "服务器记录"},
	"page_not_yet":       {"not known yet", "尚不知道"},
	"page_fit":           {"The halves fit: both ends hold the same key.", "两半相合：两端持有同一密钥。"},
	"page_fit_half":      {"Waiting for the other half.", "等待另一半。"},
	"page_fit_ended":     {"This key has ended. The halves are apart for good.", "此密钥已终止，两半不再相合。"},
	"page_no_key":        {"No key yet. Agree on one, and watch it happen.", "还没有密钥。协商一个，看看全过程。"},
	"page_negotiate":     {"Agree on a key", "协商密钥"},
	"page_negotiate_new": {"Agree on a new key", "协商新密钥"},
	"page_verify":        {"Verify", "校验"},
	"page_verify_n":      {"Verify key %d", "校验密钥 %d"},
	"page_revoke":        {"Revoke", "注销"},
	"page_revoke_n":      {"Revoke key %d", "注销密钥 %d"},

	"page_doing_negotiate": {"Agreeing on a key", "正在协商"},
	"page_doing_verify":    {"Verifying", "正在校验"},
	"page_doing_revoke":    {"Revoking", "正在注销"},
	"page_said_negotiated": {"Key %d is agreed and verified.", "密钥 %d 已协商并校验。"},
	"page_said_verified":   {"Key %d is verified: both ends have proved it anew.", "密钥 %d 校验通过：两端已重新证明。"},
	"page_said_revoked":    {"Key %d is revoked. Both ends have wiped it.", "密钥 %d 已注销，两端均已清除。"},
	"page_said_wiped":      {"Key %d has ended and is wiped here.", "密钥 %d 已终止，本页面已清除。"},

	"page_revoke_title": {"Revoke key %d?", "注销密钥 %d？"},
	"page_revoke_text": {
		"Both ends wipe it at once. What was sealed under it can never be opened again.",
		"两端立即清除该密钥。用它加密的内容将永远无法打开。",
	},
	"page_reason": {"Reason", "原因"},
	"page_keep":   {"Keep it", "保留"},

	"page_figure":       {"What goes over the wire", "线路上的消息"},
	"page_lane_browser": {"Your browser", "浏览器"},
	"page_lane_proxy":   {"Proxy", "中间人"},
	"page_lane_server":  {"Server", "服务器"},
	"page_lane_stays":   {"stays at this end", "留在本端"},
	"page_lane_sees":    {"sees all of this", "看得到这些"},
	"page_sent":         {"Browser to server:", "浏览器到服务器："},
	"page_received":     {"Server to browser:", "服务器到浏览器："},
	"page_not_shown":    {"not shown", "不显示"},
	"page_empty":        {"empty", "空"},

	"page_run_connect":   {"Connect", "连接"},
	"page_run_reconnect": {"Connect again", "重新连接"},
	"page_run_negotiate": {"Agree on a key", "协商密钥"},
	"page_run_verify":    {"Verify", "校验"},
	"page_run_revoke":    {"Revoke", "注销"},
	"page_run_between":   {"In between", "其间"},
	"page_run_one":       {"1 message, %s", "1 条消息，%s"},
	"page_run_sum":       {"%s messages, %s", "%s 条消息，%s"},

	"page_field_r1":       {"the browser's half", "浏览器的一半"},
	"page_field_r2":       {"the server's half", "服务器的一半"},
	"page_field_share":    {"public share", "公开份额"},
	"page_field_confirm":  {"proof of the key", "密钥证明"},
	"page_field_nonce":    {"used once", "一次性随机数"},
	"page_field_seckeyid": {"the key's number", "密钥号"},
	"page_field_lifetime": {"seconds", "有效秒数"},
	"page_field_doc":      {"document", "文档"},

	"page_note_hello": {
		"Draws a number that is used once, so that no recording passes for the present.",
		"生成一次性随机数，使录下的旧消息无法冒充。",
	},
	"page_note_open": {
		"Proves with the token's secret who it is. The secret is not sent.",
		"用令牌中的秘密证明身份；秘密本身不发送。",
	},
	"page_note_opened": {"Proves with the same secret that it is the server.", "用同一秘密证明自己是服务器。"},
	"page_note_half_here": {
		"Draws its half r1 and two private keys, and sends what belongs to them in public.",
		"生成自己的一半 r1 和两个私钥，只发送其公开部分。",
	},
	"page_note_half_there": {
		"Draws its half r2 and private numbers of its own, and computes the key.",
		"生成自己的一半 r2 和自己的私有随机数，算出密钥。",
	},
	"page_note_key_here":      {"Computes the same key and checks the server's proof.", "算出同一密钥，并检查服务器的证明。"},
	"page_note_proof_here":    {"Proves that it holds the key, without sending it.", "证明自己持有密钥，而不发送密钥。"},
	"page_note_proof_there":   {"Checks the proof and proves the same in return.", "检查证明，并作出同样的证明。"},
	"page_note_revoked_there": {"Erases the key and keeps the record of it.", "抹除密钥，保留记录。"},
	"page_note_wiped_here":    {"Has wiped its copy, and says so.", "已清除自己的副本，并予以回执。"},
	"page_note_refused":       {"Refuses, under its authCode. Nothing else has changed.", "拒绝请求，并附上 authCode；其他均未改变。"},
	"page_note_record":        {"Reads its own record of this key.", "读取自己对此密钥的记录。"},
	"page_note_push":          {"Tells that a key has changed its state.", "通知密钥状态有变。"},
	"page_secret_token":       {"the token's secret", "令牌中的秘密"},
	"page_secret_private":     {"private numbers", "私有随机数"},
	"page_secret_key":         {"the key", "密钥"},
	"page_secret_key_long":    {"the key, 256 bits", "密钥，256 位"},

	"page_saw":          {"The proxy has seen", "中间人看到了"},
	"page_saw_names":    {"who talks with whom", "谁与谁通信"},
	"page_saw_halves":   {"both halves", "两半随机数"},
	"page_saw_shares":   {"both public shares", "双方的公开份额"},
	"page_saw_proofs":   {"the proofs that both hold the key", "双方持有密钥的证明"},
	"page_saw_record":   {"the fingerprint in the record", "记录中的指纹"},
	"page_saw_total":    {"%s bytes in all, with their sizes and times", "共 %s 字节，以及大小和时间"},
	"page_unseen":       {"It has not seen", "没有看到"},
	"page_unseen_why":   {"None of this was sent, and what was sent does not give it away.", "这些从未发送，发送过的内容也不会泄露它们。"},
	"page_word":         {"Seal a sentence", "加密一句话"},
	"page_word_text":    {"Your sentence", "您的话"},
	"page_word_nothing": {"Nothing yet", "暂无"},
	"page_word_open":    {"Open it with key %d", "用密钥 %d 打开"},
	"page_word_seal":    {"Seal with key %d", "用密钥 %d 加密"},
	"page_word_proxy":   {"What a proxy would see", "中间人会看到"},
	"page_word_no_key":  {"It no longer opens: key %d is wiped at both ends.", "无法打开：密钥 %d 在两端均已清除。"},
	"page_word_lede": {
		"Write something, and seal it under the agreed key. Then revoke the key, and try to open it again.",
		"写一句话，用协商出的密钥加密。然后注销密钥，再试着打开。",
	},
	"page_word_no_seal": {"Agree on a key first", "请先协商密钥"},

	"page_tamper":             {"Play the proxy", "扮演中间人"},
	"page_tamper_lede":        {"Interfere with your own connection, and see whether it goes unnoticed.", "干扰您自己的连接，看看能否不被发现。"},
	"page_tamper_what":        {"With the next message", "对下一条消息"},
	"page_tamper_do":          {"Do it", "执行"},
	"page_tamper_up_flip":     {"to the server: flip a bit", "发往服务器：翻转一位"},
	"page_tamper_up_replay":   {"to the server: send it twice", "发往服务器：重放一次"},
	"page_tamper_up_drop":     {"to the server: drop it", "发往服务器：丢弃"},
	"page_tamper_down_flip":   {"to the browser: flip a bit", "发往浏览器：翻转一位"},
	"page_tamper_down_replay": {"to the browser: send it twice", "发往浏览器：重放一次"},
	"page_tamper_down_drop":   {"to the browser: drop it", "发往浏览器：丢弃"},
	"page_tamper_waiting":     {"Done. Waiting for somebody to notice", "已执行，等待被发现"},
	"page_tamper_silence":     {"Done. Silence is noticed after 15 seconds", "已执行，静默会在 15 秒后被发现"},
	"page_tampered_flip":      {"one bit flipped", "已翻转一位"},
	"page_tampered_replay":    {"sent twice", "已重放"},
	"page_tampered_drop":      {"dropped", "已丢弃"},
	"page_noticed_up_flip":    {"The server noticed: the message did not fit its authCode. It closed the connection and used nothing of it.", "服务器发现了：消息与 authCode 不符。它关闭了连接，未采用其中任何内容。"},
	"page_noticed_up_replay":  {"The server noticed: a message with this number had come already. It closed the connection.", "服务器发现了：该序号的消息已经来过。它关闭了连接。"},
	"page_noticed_up_drop":    {"The browser noticed: no answer came. It gave the connection up and makes a new one, with new keys.", "浏览器发现了：没有收到应答。它放弃该连接，用新的密钥重新建立。"},
	"page_noticed_down_flip":  {"The browser noticed: the answer did not pass its check. It closed the connection and used nothing of it.", "浏览器发现了：应答未通过检查。它关闭了连接，未采用其中任何内容。"},
	"page_noticed_down_replay": {
		"The browser noticed: an answer came that was not due. It closed the connection.",
		"浏览器发现了：收到了不该出现的应答。它关闭了连接。",
	},
	"page_noticed_down_drop": {
		"The browser noticed: the answer never came. It gave the connection up and makes a new one, with new keys.",
		"浏览器发现了：应答始终没有到达。它放弃该连接，用新的密钥重新建立。",
	},

	"page_history":         {"History", "历史"},
	"page_history_loading": {"Reading the record", "正在读取记录"},
	"page_history_empty":   {"The record is empty: this outlet has not agreed on a key yet.", "记录为空：该网点尚未协商过密钥。"},
	"page_history_none":    {"No key lived in these days.", "这些日期内没有密钥。"},
	"page_from":            {"From", "从"},
	"page_to":              {"to", "到"},
	"page_agreed":          {"Agreed", "协商"},
	"page_verified":        {"Verified", "校验"},
	"page_ended":           {"Ended", "终止"},
	"page_until":           {"until", "到期"},
	"page_replaced":        {"replaced", "被取代"},
	"page_actions":         {"Actions", "操作"},
	"page_more":            {"Earlier keys", "更早的密钥"},
	"page_again":           {"Try again", "重试"},

	"page_error_token":    {"This is not a whole token. Copy it from hufu1_ to its last character.", "令牌不完整。请从 hufu1_ 复制到最后一个字符。"},
	"page_error_network":  {"The server cannot be reached.", "无法连接服务器。"},
	"page_error_refused":  {"The outlet may be disabled, or a newer token has taken the place of this one. Ask whoever gave it to you.", "网点可能已停用，或已有更新的令牌。请询问发放者。"},
	"page_error_silent":   {"The server fell silent.", "服务器没有响应。"},
	"page_error_check":    {"A message did not pass its check (%s). Somebody may have changed it.", "消息未通过检查（%s），可能被人篡改。"},
	"page_error_aged":     {"The connection had reached its age.", "连接已达到最长时间。"},
	"page_error_closed":   {"The connection is closed.", "连接已关闭。"},
	"page_error_lost":     {"It ended before the answer came; the server may or may not have done what was asked.", "应答到达前连接已断开，服务器是否已执行未知。"},
	"page_error_no_key":   {"This page does not hold that key.", "本页面没有这个密钥。"},
	"page_error_sealed":   {"What was sealed is damaged.", "加密内容已损坏。"},
	"page_error_argument": {"The page asked for something that makes no sense.", "页面的请求有误。"},
	"page_error_internal": {"The page itself failed. Load it again.", "页面内部出错，请重新加载。"},
	"page_error_error_1":  {"The server found the request wrong.", "服务器认为请求有误。"},
	"page_error_error_2":  {"The server does not know this key.", "服务器没有这个密钥。"},
	"page_error_error_3":  {"The key is revoked.", "密钥已注销。"},
	"page_error_error_4":  {"The key has expired.", "密钥已过期。"},
	"page_error_error_5":  {"The ends held different keys; the one here is wiped.", "两端密钥不一致，本页面的已清除。"},
	"page_error_error_6":  {"The server is busy, or too many keys were asked for at once. Try again in a moment.", "服务器忙，或一次请求的密钥过多，请稍后再试。"},
	"page_error_error_7":  {"The server failed. Its log says why.", "服务器内部错误，原因见其日志。"},
	"page_error_error_8":  {"This role may not do that.", "该角色无此权限。"},
	"page_error_error_9":  {"There is no key to seal under.", "没有可用于加密的密钥。"},
	"page_close_1008":     {"The server closed it, as it does if a message is not right or the outlet is let in no longer.", "服务器关闭了连接：有消息不对，或不再接受该网点。"},
	"page_close_1001":     {"The server is going away.", "服务器即将停止。"},
	"page_close_1012":     {"The server restarts.", "服务器正在重启。"},
	"page_close_1013":     {"The server is busy.", "服务器忙。"},
	"page_close_4001":     {"Another connection of this outlet took its place.", "该网点的另一连接取代了它。"},
}

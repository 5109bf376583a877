package text

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestWords(t *testing.T) {
	busy := errors.New("store: the store cannot be written now")
	known := []Known{{busy, "store_busy"}, {io.EOF, "err_absent"}}
	for _, c := range []struct {
		err    error
		en, zh string
	}{
		{errors.New("plain"), "plain", "plain"},
		{busy, "the store cannot be written now", "存储暂时无法写入"},
		{fmt.Errorf("a: %w: %w", busy, errors.New("disk")), "a: the store cannot be written now: disk", "a: 存储暂时无法写入: disk"},
		{Errorf("err_key", 7, busy), "key 7: the store cannot be written now", "密钥 7：存储暂时无法写入"},
		{fmt.Errorf("in %w", Errorf("err_key", 7, Errorf("err_no_current"))), "in key 7: there is no current key here; run: hufu negotiate", "in 密钥 7：本机没有当前密钥；请运行：hufu negotiate"},
		{errors.Join(Errorf("err_lang", "x"), Errorf("err_no_ids")), `--lang "x" is not a language that is here; use en or zh` + "\nit names no outlet", `--lang "x" 不是可用的语言，请用 en 或 zh` + "\n没有列出任何网点"},
	} {
		if en := English.Words(c.err, known); en != c.en {
			t.Errorf("English: %q, not %q", en, c.en)
		}
		if zh := Chinese.Words(c.err, known); zh != c.zh {
			t.Errorf("Chinese: %q, not %q", zh, c.zh)
		}
	}
}

func TestErrorWraps(t *testing.T) {
	err := Tell(Errorf("err_key", 1, io.EOF), "words")
	if err.Error() != "words" || !errors.Is(err, io.EOF) {
		t.Errorf("%v, %v", err, errors.Is(err, io.EOF))
	}
}

func TestDetect(t *testing.T) {
	for _, c := range []struct {
		env  string
		want Lang
	}{
		{"", English}, {"LANG=zh_CN.UTF-8", Chinese}, {"LANG=en_GB LC_MESSAGES=zh_TW", Chinese},
		{"LC_ALL=C LANG=zh_CN", English}, {"LANG=de_DE", English}, {"LC_ALL=zh-Hans", Chinese}, {"LANG=C.UTF-8", English},
	} {
		got := Detect(func(name string) string {
			for _, v := range strings.Fields(c.env) {
				if value, is := strings.CutPrefix(v, name+"="); is {
					return value
				}
			}
			return ""
		})
		if got != c.want {
			t.Errorf("%s: %d", c.env, got)
		}
	}
}

func TestTable(t *testing.T) {
	var b strings.Builder
	if err := Table(&b, []string{"名称", "B"}, [][]string{{"x", "1"}, {"网点三", "2"}}); err != nil {
		t.Fatal(err)
	}
	if want := "名称    B\nx       1\n网点三  2\n"; b.String() != want {
		t.Errorf("%q, not %q", b.String(), want)
	}
}

// Package cli is what the command lines of both programs have in common besides
// their settings.
package cli

import (
	"strings"

	"github.com/alecthomas/kong"

	"hufu/shared/settings"
	"hufu/shared/text"
)

// SettingView is a setting as --json shows it.
type SettingView struct {
	Key    string          `json:"key"`
	Value  any             `json:"value"`
	Source settings.Source `json:"source"`
	From   string          `json:"from,omitempty"`
}

// ShowSettings shows every setting and where its value came from, secrets masked.
func ShowSettings(out text.Output, p *settings.Program, parsed *kong.Context) error {
	rows := out.Rows("col_setting", "col_value", "col_source")
	for _, s := range p.Values(parsed) {
		from := strings.TrimSpace(out.T("source_"+string(s.Source)) + " " + s.From)
		rows.Add(SettingView{s.Key, s.Value, s.Source, s.From}, s.Key, s.Shown(), from)
	}
	return rows.Write()
}

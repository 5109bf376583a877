package settings

import (
	"strings"

	"github.com/alecthomas/kong"
)

// place is one place in the tree of commands, as completion and manual tell of it.
type place struct {
	path     string // without the program's name: "shm create"
	node     *kong.Node
	commands []*kong.Node
	own      []*kong.Flag // of this place alone
	flags    []*kong.Flag // with those of the places above
}

// places walks the tree of commands that are shown.
func places(node *kong.Node, path string, above []*kong.Flag) []place {
	here := place{path: path, node: node}
	for _, flag := range node.Flags {
		if !flag.Hidden {
			here.own = append(here.own, flag)
		}
	}
	here.flags = append(above[:len(above):len(above)], here.own...)
	all := []place{here}
	for _, child := range node.Children {
		if child.Hidden {
			continue
		}
		all[0].commands = append(all[0].commands, child)
		all = append(all, places(child, strings.TrimSpace(path+" "+child.Name), here.flags)...)
	}
	return all
}

// takes is what stands after a flag, or as an argument.
type takes struct {
	nothing, files, folders bool
	words                   []string
}

func takesOf(v *kong.Value) takes {
	placeholder := ""
	if v.Flag != nil {
		placeholder = v.Flag.PlaceHolder
	}
	switch {
	case v.IsBool():
		return takes{nothing: true}
	case v.Enum != "":
		return takes{words: v.EnumSlice()}
	case strings.Contains(placeholder, "|"):
		return takes{words: strings.Split(placeholder, "|")}
	case v.Tag.Type == "path":
		return takes{files: placeholder != "DIR", folders: placeholder == "DIR"}
	}
	return takes{}
}

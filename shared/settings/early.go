package settings

import (
	"os"
	"strings"
)

// Early is a setting's value before the command line is parsed, for what the
// parsing itself depends on: the language of its messages.
func Early(args []string, f *File, name, env string) string {
	if value := early(args, name, env); value != "" {
		return value
	}
	value, _ := f.has(name)
	said, _ := value.(string)
	return said
}

// early looks for --name=VALUE or --name VALUE, then at the environment.
func early(args []string, name, env string) (value string) {
	value = os.Getenv(env)
	flag := "--" + name
	for i, arg := range args {
		if arg == "--" {
			break
		}
		if given, is := strings.CutPrefix(arg, flag+"="); is {
			value = given
		} else if arg == flag && i+1 < len(args) {
			value = args[i+1]
		}
	}
	return value
}

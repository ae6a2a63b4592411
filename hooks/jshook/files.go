package jshook

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"
)

// scheme is what addresses of scripts begin with.
const scheme = "js:"

// IsURI tells whether an address is meant to be that of a script.
func IsURI(uri string) bool { return strings.HasPrefix(uri, scheme) }

// fileName is how the file of a script may be called.
var fileName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,250}\.[cm]?js$`)

// ParseURI gives the name of the file in js:NAME.js.
func ParseURI(uri string) (file string, err error) {
	file, ok := strings.CutPrefix(uri, scheme)
	if !ok || !fileName.MatchString(file) {
		return "", errors.New("it must be js: and the name of a file in the folder of AUTH_HOOKS_SCRIPTS_DIR, such as js:custom-access-token.js: letters, digits, dots, dashes and underscores, with .js, .mjs or .cjs at the end")
	}
	return file, nil
}

// File reads a script from the folder. A link that leads out of the folder is not followed.
func (s Settings) File(name string) (source string, err error) {
	if s.ScriptsDir == "" {
		return "", errors.New("it names a script, and AUTH_HOOKS_SCRIPTS_DIR, the folder of scripts, is not set")
	}
	root, err := os.OpenRoot(s.ScriptsDir)
	if err != nil {
		return "", errors.New("the folder of AUTH_HOOKS_SCRIPTS_DIR cannot be read")
	}
	defer root.Close()
	text, err := read(root, name)
	if err != nil {
		return "", fmt.Errorf("%s in the folder of AUTH_HOOKS_SCRIPTS_DIR %w", name, err)
	}
	return text, nil
}

func read(root *os.Root, name string) (string, error) {
	info, err := root.Stat(name) // a pipe would wait for somebody to write into it
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "", errors.New("does not exist")
	case err != nil:
		return "", errors.New("cannot be read, or is a link that leads out of the folder")
	case !info.Mode().IsRegular():
		return "", errors.New("is no file")
	}
	f, err := root.Open(name)
	if err != nil {
		return "", errors.New("cannot be read")
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSource+1))
	switch {
	case err != nil:
		return "", errors.New("cannot be read")
	case len(text) > maxSource:
		return "", fmt.Errorf("has more than %d bytes", maxSource)
	case !utf8.Valid(text):
		return "", errors.New("is not UTF-8")
	}
	return string(text), nil
}

package shared

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"

	"postern/migrations"
)

// templateName names a template after everything that decides what is in it: the migrations,
// the code that applies them where its source is at hand, and the versions of the libraries.
func templateName() (string, error) {
	hash := sha256.New()
	err := fs.WalkDir(migrations.FS, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(migrations.FS, path)
		fmt.Fprintf(hash, "%s %d\n%s", path, len(text), text)
		return err
	})
	if err != nil {
		return "", err
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if strings.Contains(dep.Path, "river") || strings.Contains(dep.Path, "goose") {
				fmt.Fprintln(hash, dep.Path, dep.Version)
			}
		}
	}
	if _, here, _, ok := runtime.Caller(0); ok {
		sources, err := filepath.Glob(filepath.Join(filepath.Dir(here), "..", "..", "..", "store", "migrate*.go"))
		if err != nil {
			return "", err
		}
		for _, source := range sources {
			text, err := os.ReadFile(source) // #nosec G304 -- our own source
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return "", err
			}
			fmt.Fprintf(hash, "%d\n%s", len(text), text)
		}
	}
	return "template_" + hex.EncodeToString(hash.Sum(nil)[:10]), nil
}

package jshook

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// ready is a script as workers take it.
type ready struct {
	program
	lines   []int  // of the original, by the lines of the program
	problem string // that whoever gathered its packages had with it
}

// What making a script ready may take: packages of npm are large at times, and nobody waits for them
// twice.
const (
	bundleTime   = 30 * time.Second
	bundleMemory = 1 << 30
	maxBundles   = 256
)

// modular matches scripts that may have something to do with other modules, or be one that is not
// CommonJS.
var modular = regexp.MustCompile(`\b(require|import|export)\b`)

// keyOf names a script by all that it is.
func keyOf(s Script) string {
	sum := sha256.Sum256([]byte(encode([]any{s.Prelude, s.Source, s.Convention, s.Linger, s.Member})))
	return hex.EncodeToString(sum[:])
}

// prepare makes a script ready, once for as long as it stays the same.
func (p *Pool) prepare(ctx context.Context, key string, s Script) (*ready, error) {
	if r := p.prepared(key); r != nil {
		return r, nil
	}
	r := &ready{program: program{Prelude: s.Prelude, Source: s.Source, Callback: s.Convention == Callback, Linger: s.Linger, Member: s.Member}}
	if modular.MatchString(s.Source) {
		if err := p.bundle(ctx, key, r); err != nil {
			return nil, err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.bundles) >= maxBundles {
		clear(p.bundles)
	}
	p.bundles[key] = r
	return r, nil
}

func (p *Pool) prepared(key string) *ready {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bundles[key]
}

// bundle has a process gather what the script requires. One does so at a time.
func (p *Pool) bundle(ctx context.Context, key string, r *ready) error {
	select {
	case p.bundling <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-p.bundling }()
	if p.isClosed() {
		return errClosed
	}
	if done := p.prepared(key); done != nil {
		*r = *done
		return nil
	}
	c := p.command(Bundler, 0, bundleMemory)
	w, err := p.launch(c)
	if err != nil {
		return err
	}
	defer w.stop()
	timer := time.AfterFunc(bundleTime, w.kill)
	defer timer.Stop()
	left := context.AfterFunc(ctx, w.kill)
	defer left()
	var b bundled
	if err := writeFrame(w.in, bundleJob{Source: r.Source, Dir: p.settings.ModulesDir}); err != nil {
		return errBundle
	}
	if err := readFrame(w.out, maxOrder, &b); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return errBundle
	}
	r.Source, r.lines, r.Modules, r.problem = b.Source, b.Lines, b.Modules, b.Problem
	return nil
}

var errBundle = errors.New("the packages that the script requires could not be gathered")

// original writes the lines in a stack as those of the script that its author knows.
func (r *ready) original(stack string) string {
	if len(r.lines) == 0 {
		return stack
	}
	parts := strings.Split(stack, scriptName+":")
	for i, part := range parts[1:] {
		digits := len(part) - len(strings.TrimLeft(part, "0123456789"))
		line, err := strconv.Atoi(part[:digits])
		if err != nil || line < 1 || line > len(r.lines) || r.lines[line-1] == 0 {
			continue
		}
		parts[i+1] = strconv.Itoa(r.lines[line-1]) + part[digits:]
	}
	return strings.Join(parts, scriptName+":")
}

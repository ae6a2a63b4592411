package emails

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	remoteTime    = 3 * time.Second
	remoteEntries = 512 // files of which a copy is kept
)

// Remote is a set of templates on a web server: <base>/<locale>/<template>/<file>. It is asked at
// every mail, so an edit counts at once; what did not change costs an answer without a body. When
// it fails, the last good copy stands, and mail goes out all the same.
type Remote struct {
	Base    string
	Timeout time.Duration // for all files of one mail together; zero means three seconds
	Client  *http.Client  // nil means one that follows no redirects

	mu     sync.Mutex
	copies map[string]*copied
	use    uint64
}

// copied is the last good answer for one file.
type copied struct {
	etag, modified string
	template       *template
	used           uint64
}

// errMissing says that the server has no such file, which is normal.
var errMissing = errors.New("no such file")

// find gets the files of a template. Each file comes from the first locale that has it.
func (r *Remote) find(ctx context.Context, name string, locales []string) (files, error) {
	limit := r.Timeout
	if limit <= 0 {
		limit = remoteTime
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	type answer struct {
		t      *template
		locale string
		err    error
	}
	names := []string{subjectFile, htmlFile, textFile}
	answers := make([]answer, len(names))
	var wait sync.WaitGroup
	for i, file := range names {
		wait.Go(func() {
			a := &answers[i]
			for _, l := range locales {
				t, err := r.file(ctx, l+"/"+name+"/"+file)
				if t != nil {
					a.t, a.locale = t, l
				}
				if !errors.Is(err, errMissing) {
					a.err = errors.Join(a.err, err)
				}
				if t != nil {
					return
				}
			}
		})
	}
	wait.Wait()
	f := files{subject: answers[0].t, html: answers[1].t, text: answers[2].t, source: "remote"}
	f.locale = answers[1].locale
	if f.html == nil {
		f.locale = answers[2].locale
	}
	if f.html != nil && f.text != nil && answers[1].locale != answers[2].locale {
		f.text = nil // better the words of the HTML than another language
	}
	return f, errors.Join(answers[0].err, answers[1].err, answers[2].err)
}

// file gets one file: fresh, or unchanged, or, with the error, the last good copy.
func (r *Remote) file(ctx context.Context, path string) (*template, error) {
	url := strings.TrimRight(r.Base, "/") + "/" + path
	old := r.copyOf(url)
	fresh, err := r.fetch(ctx, url, path, old)
	if errors.Is(err, errMissing) {
		r.keep(url, nil)
		return nil, err
	}
	if err != nil {
		if old == nil {
			return nil, err
		}
		return old.template, fmt.Errorf("%w; the last good copy is used", err)
	}
	r.keep(url, fresh)
	return fresh.template, nil
}

func (r *Remote) fetch(ctx context.Context, url, path string, old *copied) (*copied, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("remote template: %w", err)
	}
	if old != nil && old.etag != "" {
		req.Header.Set("If-None-Match", old.etag)
	}
	if old != nil && old.etag == "" && old.modified != "" {
		req.Header.Set("If-Modified-Since", old.modified)
	}
	res, err := r.client().Do(req)
	if err != nil {
		return nil, fmt.Errorf("remote template: %w", err)
	}
	defer res.Body.Close()
	switch res.StatusCode {
	case http.StatusOK:
	case http.StatusNotModified:
		if old != nil {
			return old, nil
		}
		return nil, fmt.Errorf("remote template %s: answered %s to a plain question", path, res.Status)
	case http.StatusNotFound, http.StatusGone:
		return nil, errMissing
	default:
		return nil, fmt.Errorf("remote template %s: answered %s", path, res.Status)
	}
	text, err := readLimited(res.Body)
	if err != nil {
		return nil, fmt.Errorf("remote template %s: %w", path, err)
	}
	t, err := parse(path, text)
	if err != nil {
		return nil, fmt.Errorf("remote template %w", err)
	}
	return &copied{etag: res.Header.Get("ETag"), modified: res.Header.Get("Last-Modified"), template: t}, nil
}

func (r *Remote) copyOf(url string) *copied {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.copies[url]
	if c == nil {
		return nil
	}
	r.use++
	c.used = r.use
	snapshot := *c
	return &snapshot
}

// keep stores the copy, or forgets it when it is nil. The one longest unused makes room.
func (r *Remote) keep(url string, c *copied) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c == nil {
		delete(r.copies, url)
		return
	}
	if r.copies == nil {
		r.copies = map[string]*copied{}
	}
	if _, known := r.copies[url]; !known && len(r.copies) >= remoteEntries {
		oldest := ""
		for u, other := range r.copies {
			if oldest == "" || other.used < r.copies[oldest].used {
				oldest = u
			}
		}
		delete(r.copies, oldest)
	}
	r.use++
	c.used = r.use
	r.copies[url] = c
}

func (r *Remote) client() *http.Client {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.Client == nil {
		r.Client = newClient()
	}
	return r.Client
}

// newClient follows no redirects: the operator named the place, and nobody else may name another.
func newClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 6,
			IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// readLimited reads a text of at most maxFile bytes.
func readLimited(from io.Reader) (string, error) {
	b, err := io.ReadAll(io.LimitReader(from, maxFile+1))
	if err != nil {
		return "", fmt.Errorf("read: %w", err)
	}
	if len(b) > maxFile {
		return "", fmt.Errorf("is larger than %d KiB", maxFile>>10)
	}
	return string(b), nil
}

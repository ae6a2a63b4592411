// Command bench measures what users wait for, each beside its ceiling on the same machine in the
// same run: ratios say something, absolute times say something about the machine.
//
//	go run ./internal/bench [-seconds 5] [-clients 8] [-only hooks]
//
// It starts its own Postgres with fsync on and the whole house on loopback addresses, and prints
// the table of docs/performance.md.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"postern/config"
	"postern/hooks/jshook"
	"postern/house"
	"postern/internal/localpg"
	"postern/passwords"
)

func main() {
	if code, asked := jshook.Main(os.Args[1:], os.Stdin, os.Stdout); asked { // a process of the pool of scripts
		os.Exit(code)
	}
	only := flag.String("only", "", "measure no more than this: hooks")
	seconds := flag.Int("seconds", 5, "how long each measurement takes")
	clients := flag.Int("clients", 8, "how many clients ask at the same time")
	flag.Parse()
	if err := run(context.Background(), time.Duration(*seconds)*time.Second, *clients, *only); err != nil {
		log.Fatal(err)
	}
}

// bench is a running house with the means to ask it.
type bench struct {
	ctx     context.Context //nolint:containedctx // the program's own, for its whole life
	url     string
	bare    string
	client  *http.Client
	clients int
	length  time.Duration
	config  *config.Config

	database string
}

func run(ctx context.Context, length time.Duration, clients int, only string) error {
	dir, err := os.MkdirTemp("", "postern-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // Postgres, which gives up root, must pass through
		return err
	}
	progress("starting Postgres with fsync on")
	pg, err := localpg.Start(ctx, localpg.Config{Dir: filepath.Join(dir, "pg"), Through: []string{dir}, Search: localpg.Search{Download: true, Progress: os.Stderr}})
	if err != nil {
		return err
	}
	defer func() { _ = pg.Stop(ctx) }()
	b := &bench{ctx: ctx, length: length, clients: clients, database: pg.URL("postgres"), client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}}
	h, err := b.open(map[string]string{"AUTH_GOTRUE_API_ENABLED": "true"})
	if err != nil {
		return err
	}
	defer h.close()
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + h.house.Kit.Passwords.Threads()) // as the server does
	bareURL, closeBare, err := serve(ctx, bareHandlers(h.house.Store))
	if err != nil {
		return err
	}
	defer closeBare()
	b.url, b.bare, b.config = h.url, bareURL, h.config
	if only == "hooks" {
		return b.reportHooks(h.house)
	}
	return b.report(h.house)
}

// opened is a house that answers.
type opened struct {
	url    string
	house  *house.House
	config *config.Config
	close  func()
}

// open starts a house on the database, with settings beside those that every house has.
func (b *bench) open(settings map[string]string) (*opened, error) {
	env := map[string]string{
		"POSTGRES_CONNECTION":                       b.database,
		"HASURA_GRAPHQL_JWT_SECRET":                 `{"type":"HS256","key":"` + strings.Repeat("n0t-a-secret.", 5) + `"}`,
		"AUTH_ENCRYPTION_KEY":                       strings.Repeat("0123456789abcdef", 4),
		"AUTH_API_PREFIX":                           "/v1",
		"AUTH_RATE_LIMIT_ENABLE":                    "false",
		"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false",
	}
	maps.Copy(env, settings)
	c, report := config.Load(config.Source{Env: env})
	if err := report.Err(); err != nil {
		return nil, err
	}
	quiet := slog.New(slog.DiscardHandler)
	h, err := house.Build(b.ctx, c, house.Options{Version: "bench", Log: quiet, Now: time.Now})
	if err != nil {
		return nil, err
	}
	h.Start(b.ctx)
	url, closeServer, err := serve(b.ctx, h.Handler)
	if err != nil {
		return nil, err
	}
	return &opened{url + "/v1", h, c, func() { closeServer(); _ = h.Close(b.ctx) }}, nil
}

// serve answers on a free port of this machine.
func serve(ctx context.Context, handler http.Handler) (url string, stop func(), err error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = srv.Serve(l) }()
	return "http://" + l.Addr().String(), func() { _ = srv.Close() }, nil
}

// report measures and prints.
func (b *bench) report(h *house.House) error {
	people, err := b.signUp(100)
	if err != nil {
		return err
	}
	hash, err := b.hashing()
	if err != nil {
		return err
	}
	ceiling, signIn := b.beside(
		job{"argon2id alone", runtime.NumCPU(), hash},
		job{"sign-in", b.clients, func(i int) error { return b.signIn(people[i%len(people)]) }})
	bareRefresh, refresh := b.beside(
		job{"refresh, bare handler", b.clients, b.refreshing(b.bare+"/refresh", people)},
		job{"refresh", b.clients, b.refreshing(b.url+"/token", people)})
	bareUser, getUser := b.beside(
		job{"get user, bare handler", b.clients, func(i int) error {
			return b.getUser(b.bare+"/user?id="+people[i%len(people)].id, people[i%len(people)])
		}},
		job{"get user", b.clients, func(i int) error { return b.getUser(b.url+"/user", people[i%len(people)]) }})
	doors := b.gotrue(people)
	flood, floodSignIns := b.flood(people)
	claims, err := b.claims(h, people)
	if err != nil {
		return err
	}
	asked, err := b.hooks(h, people)
	if err != nil {
		return err
	}

	b.where()
	fmt.Println("| what | per second | p50 | p99 | ceiling | ratio |")
	fmt.Println("| --- | ---: | ---: | ---: | --- | ---: |")
	row := printRow
	row(signIn, "argon2id alone", ceiling.rate)
	row(refresh, "bare net/http, same statement", bareRefresh.rate)
	row(getUser, "bare net/http, same statement", bareUser.rate)
	for _, d := range doors {
		row(d.own, d.other.name+" at /v1", d.other.rate)
	}
	row(flood, "500/s offered", 500)
	row(floodSignIns, "argon2id alone", ceiling.rate)
	for _, c := range claims {
		row(c.with, c.name, c.rate)
	}
	fmt.Println()
	printHooks(asked)
	return nil
}

// reportHooks measures hooks alone.
func (b *bench) reportHooks(h *house.House) error {
	people, err := b.signUp(100)
	if err != nil {
		return err
	}
	asked, err := b.hooks(h, people)
	if err != nil {
		return err
	}
	b.where()
	printHooks(asked)
	return nil
}

// measured is one line of the table.
type measured struct {
	name     string
	rate     float64 // successes per second
	failed   int64
	p50, p99 time.Duration
}

// job is something that clients ask for, again and again.
type job struct {
	name    string
	clients int
	ask     func(client int) error
}

// turns is how often two jobs that are compared take turns: the machine's speed drifts, and so both
// see the same.
const turns = 5

// beside measures a ceiling and what is held against it, in turns.
func (b *bench) beside(ceiling, own job) (measured, measured) {
	progress(own.name + ", beside: " + ceiling.name)
	var results [2]tally
	for range turns {
		for i, j := range []job{ceiling, own} {
			results[i].add(b.loop(j, b.length/turns))
		}
	}
	return results[0].summary(ceiling.name), results[1].summary(own.name)
}

// tally is what some loops have seen.
type tally struct {
	times  []time.Duration
	failed int64
	took   time.Duration
}

func (t *tally) add(o tally) {
	t.times, t.failed, t.took = append(t.times, o.times...), t.failed+o.failed, t.took+o.took
}

func (t *tally) summary(name string) measured {
	return summary(name, t.times, t.failed, t.took)
}

// loop lets clients ask one after the other for so long.
func (b *bench) loop(j job, length time.Duration) tally {
	var mu sync.Mutex
	var all tally
	start := time.Now()
	var wg sync.WaitGroup
	for i := range j.clients {
		wg.Go(func() {
			var own tally
			for time.Since(start) < length {
				t := time.Now()
				if err := j.ask(i); err != nil {
					if own.failed++; own.failed == 1 {
						fmt.Fprintf(os.Stderr, "  %s: %v\n", j.name, err)
					}
					continue
				}
				own.times = append(own.times, time.Since(t))
			}
			mu.Lock()
			all.add(own)
			mu.Unlock()
		})
	}
	wg.Wait()
	all.took = time.Since(start)
	return all
}

func summary(name string, times []time.Duration, failed int64, took time.Duration) measured {
	slices.Sort(times)
	m := measured{name: name, failed: failed, rate: float64(len(times)) / took.Seconds()}
	if n := len(times); n > 0 {
		m.p50, m.p99 = times[n/2], times[n*99/100]
	}
	return m
}

// hashing is the ceiling of sign-ins: the hash alone.
func (b *bench) hashing() (func(int) error, error) {
	hasher := passwords.NewHasher(b.config.Passwords, time.Now)
	stored, err := hasher.Hash(b.ctx, password)
	return func(int) error {
		_, _, err := hasher.Verify(b.ctx, stored, password)
		return err
	}, err
}

// flood offers 500 refreshes a second, whatever becomes of them, while 32 clients sign in.
func (b *bench) flood(people []*person) (refreshes, signIns measured) {
	const perSecond = 500
	progress("refresh during a flood of sign-ins")
	done := make(chan measured, 1)
	go func() {
		t := b.loop(job{"sign-in during the flood", 32, func(i int) error { return b.signIn(people[i]) }}, b.length)
		done <- t.summary("sign-in during the flood")
	}()
	refreshes = b.offer("refresh during a flood of sign-ins", perSecond, b.refreshing(b.url+"/token", people))
	return refreshes, <-done
}

// offer asks so many times a second, whatever becomes of it.
func (b *bench) offer(name string, perSecond int, ask func(i int) error) measured {
	var mu sync.Mutex
	var times []time.Duration
	var failed atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for n := 0; time.Since(start) < b.length; n++ {
		due := start.Add(time.Duration(n) * time.Second / time.Duration(perSecond))
		time.Sleep(time.Until(due))
		wg.Go(func() {
			if err := ask(n); err != nil {
				failed.Add(1)
				return
			}
			took := time.Since(due)
			mu.Lock()
			times = append(times, took)
			mu.Unlock()
		})
	}
	wg.Wait()
	return summary(name, times, failed.Load(), time.Since(start))
}

const password = "correct horse battery staple"

// person is a user with a session.
type person struct {
	email, id, access string
	mu                sync.Mutex // a session refreshes one at a time
	refresh           string
}

func (b *bench) signUp(n int) ([]*person, error) {
	progress(fmt.Sprintf("signing up %d users", n))
	people := make([]*person, n)
	for i := range people {
		p := &person{email: "user" + strconv.Itoa(i) + "@example.com"}
		body, err := b.post(b.url+"/signup/email-password", map[string]string{"email": p.email, "password": password})
		if err != nil {
			return nil, err
		}
		var out struct {
			Session struct {
				AccessToken, RefreshToken string
				User                      struct{ ID string }
			}
		}
		if err := json.Unmarshal(body, &out); err != nil {
			return nil, err
		}
		p.access, p.refresh, p.id = out.Session.AccessToken, out.Session.RefreshToken, out.Session.User.ID
		people[i] = p
	}
	return people, nil
}

func (b *bench) signIn(p *person) error { return b.signInAt(b.url, p) }

func (b *bench) refreshing(url string, people []*person) func(i int) error {
	return func(i int) error {
		p := people[i%len(people)]
		p.mu.Lock()
		defer p.mu.Unlock()
		body, err := b.post(url, map[string]string{"refreshToken": p.refresh})
		if err != nil {
			return err
		}
		var out struct{ RefreshToken string }
		if err := json.Unmarshal(body, &out); err != nil {
			return err
		}
		p.refresh = out.RefreshToken
		return nil
	}
}

func (b *bench) getUser(url string, p *person) error {
	req, err := http.NewRequestWithContext(b.ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+p.access)
	_, err = b.do(req)
	return err
}

func (b *bench) post(url string, in any) ([]byte, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(b.ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	return b.do(req)
}

func (b *bench) do(req *http.Request) ([]byte, error) {
	resp, err := b.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %s", req.Method, req.URL.Path, resp.Status, body)
	}
	return body, err
}

func short(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }

func progress(what string) { fmt.Fprintln(os.Stderr, "bench:", what) }

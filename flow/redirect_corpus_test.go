package flow

import (
	"bytes"
	"encoding/json"
	"flag"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The corpus has addresses that somebody might ask to be sent to, most of them in bad faith, and for
// each where a browser would go. After a change of the addresses, with Node at hand:
//
//	go test ./flow -run T29 -update
const corpusFile = "testdata/redirects/corpus.json"

var update = flag.Bool("update", false, "ask Node anew where the addresses of the corpus lead")

// sent is an address of the corpus.
type sent struct {
	Kind string `json:"kind"`
	URL  string `json:"url"`
	Goes *place `json:"goes"` // by the WHATWG URL standard; nil for nowhere
}

// place is where a browser goes.
type place struct {
	Protocol string `json:"protocol"` // with its colon
	User     string `json:"user,omitempty"`
	Host     string `json:"host"` // with a port that is not the scheme's own
	Path     string `json:"path"`
}

// corpusLists are allow-lists, each with what it means said once more, in other words than the
// matcher's.
var corpusLists = map[string]func(p place) bool{
	"https://exact.io/p": func(p place) bool {
		return p.Protocol == "https:" && p.Host == "exact.io" && below(p.Path, "/p")
	},
	"https://*.ok.io/app": func(p place) bool {
		label, found := strings.CutSuffix(p.Host, ".ok.io")
		return p.Protocol == "https:" && found && label != "" && !strings.ContainsAny(label, ".:[") && below(p.Path, "/app")
	},
	"http://localhost:*": func(p place) bool {
		port, found := strings.CutPrefix(p.Host, "localhost:")
		return p.Protocol == "http:" && found && strings.Trim(port, "0123456789") == ""
	},
	"http://localhost:0*": func(p place) bool { return p.Protocol == "http:" && p.Host == "localhost:0" }, // no port has a zero in front
	"http://*:3000": func(p place) bool {
		name, found := strings.CutSuffix(p.Host, ":3000")
		return p.Protocol == "http:" && found && !strings.Contains(name, ".")
	},
	"https://*": func(p place) bool {
		return p.Protocol == "https:" && !strings.Contains(p.Host, ".")
	},
	"http://127.0.0.1:8080/cb": func(p place) bool {
		return p.Protocol == "http:" && p.Host == "127.0.0.1:8080" && below(p.Path, "/cb")
	},
	"http://[::1]:8080": func(p place) bool { return p.Protocol == "http:" && p.Host == "[::1]:8080" },
	"myapp://callback":  func(p place) bool { return p.Protocol == "myapp:" && strings.EqualFold(p.Host, "callback") },
	"com.example.app://": func(p place) bool {
		return p.Protocol == "com.example.app:" && p.Host != ""
	},
	"https://any.io": func(p place) bool { return p.Protocol == "https:" && p.Host == "any.io" },
}

// below tells whether a path is another, or lies below it.
func below(path, parent string) bool {
	return path == parent || strings.HasPrefix(path, parent+"/")
}

func readCorpus(t testing.TB) []sent {
	t.Helper()
	raw, err := os.ReadFile(corpusFile)
	if err != nil {
		t.Fatal(err)
	}
	var list []sent
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// askNode asks a URL parser that is a browser's where addresses lead.
func askNode(t testing.TB, addresses []string) []*place {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("there is no Node to ask; the corpus holds what it said")
	}
	in, err := json.Marshal(addresses)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), node, "testdata/redirects/whatwg.mjs") // #nosec G204 -- our own script
	command.Stdin = bytes.NewReader(in)
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	var places []*place
	if err := json.Unmarshal(out, &places); err != nil || len(places) != len(addresses) {
		t.Fatalf("Node gave %d answers to %d questions: %v", len(places), len(addresses), err)
	}
	return places
}

// compiled are the lists, ready to be asked.
func compiled(t testing.TB) map[string]redirects {
	t.Helper()
	lists := map[string]redirects{}
	for entry := range corpusLists {
		lists[entry] = mustRedirects(t, "", entry)
	}
	return lists
}

// judged fails when an address is allowed that a browser takes to a place that is not. It gives the
// number of lists that allow the address.
func judged(t testing.TB, lists map[string]redirects, address string, goes *place) int {
	t.Helper()
	allowed := 0
	for entry, list := range lists {
		if !list.allows(address) {
			continue
		}
		allowed++
		switch {
		case goes == nil:
			t.Errorf("%s allows %q, which no browser can open", entry, address)
		case goes.User != "" || !corpusLists[entry](*goes):
			t.Errorf("%s allows %q, and a browser goes to %+v", entry, address, *goes)
		}
	}
	return allowed
}

// TestT29RedirectCorpus holds every address of the corpus against every list: what we accept must
// lead, by the standard that browsers follow, to a place on the list.
func TestT29RedirectCorpus(t *testing.T) {
	t.Parallel()
	corpus := readCorpus(t)
	if *update {
		writeCorpus(t, corpus)
	}
	lists := compiled(t)
	hostile := 0
	for _, s := range corpus {
		n := judged(t, lists, s.URL, s.Goes)
		if s.Kind == "plain" && n == 0 {
			t.Errorf("no list allows %q, which is harmless", s.URL)
		}
		if s.Kind != "plain" {
			hostile++
		}
	}
	if hostile < 240 {
		t.Errorf("the corpus has %d hostile addresses, want at least 240", hostile)
	}
}

// TestT29CorpusIsWhatNodeSays asks the Node of this machine again.
func TestT29CorpusIsWhatNodeSays(t *testing.T) {
	t.Parallel()
	corpus := readCorpus(t)
	lists := compiled(t)
	for i, goes := range askNode(t, addressesOf(corpus)) {
		s := corpus[i]
		judged(t, lists, s.URL, goes)
		if d := cmp.Diff(s.Goes, goes); d != "" {
			t.Errorf("%q (-corpus +node):\n%s", s.URL, d)
		}
	}
}

// TestT29MutatedRedirects makes thousands of addresses out of pieces of the corpus and asks Node about
// those that some list allows. The pieces are drawn with a fixed seed, so a failure comes back.
func TestT29MutatedRedirects(t *testing.T) {
	t.Parallel()
	corpus := readCorpus(t)
	lists := compiled(t)
	pieces := []string{
		"/", "//", "\\", "@", ":", "?", "#", ".", "..", "/../", "/./", "%2e", "%2f", "%5c", "%00", "%", "\t", "\n", " ", "443", ":80", "0", "0x", "[", "]",
		"::1", "xn--", "evil.io", ".evil.io", "exact.io", ".ok.io", "p", "app", "localhost", "127.1", "https://", "http:", "javascript:", "myapp://", ";", ",",
		"{", "}", "|", "^", "`", "\"", "<", ">", "&", "=", "é", "。", "／", "\u200b", "~", "_", "-", "A",
	}
	random := rand.New(rand.NewPCG(29, 29)) // #nosec G404 -- nothing is secret about it
	var allowed []string
	for range 150_000 {
		s := corpus[random.IntN(len(corpus))].URL
		if len(s) > 200 {
			continue
		}
		for range 1 + random.IntN(3) {
			at := random.IntN(len(s) + 1)
			end := min(len(s), at+random.IntN(3))
			s = s[:at] + pieces[random.IntN(len(pieces))] + s[end:]
		}
		s = strings.ToValidUTF8(s, "�")
		for _, list := range lists {
			if list.allows(s) {
				allowed = append(allowed, s)
				break
			}
		}
	}
	slices.Sort(allowed)
	allowed = slices.Compact(allowed)
	if len(allowed) < 1000 {
		t.Fatalf("only %d of the addresses are allowed by any list: this proves little", len(allowed))
	}
	for i, goes := range askNode(t, allowed) {
		judged(t, lists, allowed[i], goes)
	}
}

func addressesOf(corpus []sent) []string {
	addresses := make([]string, len(corpus))
	for i, s := range corpus {
		addresses[i] = s.URL
	}
	return addresses
}

// writeCorpus writes the corpus with what Node says, an address a line.
func writeCorpus(t *testing.T, corpus []sent) {
	t.Helper()
	for i, goes := range askNode(t, addressesOf(corpus)) {
		corpus[i].Goes = goes
	}
	var b bytes.Buffer
	for i, s := range corpus {
		line, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(map[bool]string{true: "[\n", false: ",\n"}[i == 0])
		b.Write(line)
	}
	b.WriteString("\n]\n")
	if err := os.WriteFile(corpusFile, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

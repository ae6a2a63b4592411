package hasura

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestDeviceOf(t *testing.T) {
	t.Parallel()
	for agent, want := range map[string]string{
		"": "",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0":                                                        "Firefox on Windows",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0":           "Edge on Windows",
		"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36":                          "Chrome on ChromeOS",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15":                   "Safari on macOS",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1": "Safari on iPhone",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/126.0 Mobile/15E148 Safari/604.1":  "Chrome on iPhone",
		"Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0 Mobile Safari/537.36":  "Samsung Internet on Android",
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 OPR/112.0.0.0":                     "Opera on Linux",
		"Mozilla/5.0 (compatible; unheard of)": "Mozilla",
		"curl/8.5.0":                           "curl",
		"node":                                 "node",
		"my-app/2.1 (build 7)":                 "my-app",
		"okhttp/4.12.0":                        "okhttp",
		strings.Repeat("ü", 100):               strings.Repeat("ü", 20),
	} {
		if got := deviceOf(agent); got != want {
			t.Errorf("%q is %q, want %q", agent, got, want)
		}
	}
}

// FuzzDeviceOf checks that whatever a client calls itself, the name of its device is short and valid.
func FuzzDeviceOf(f *testing.F) {
	f.Add("Mozilla/5.0 (Windows NT 10.0) Firefox/128.0")
	f.Add("\xff\xfe/1")
	f.Add("/ /")
	f.Fuzz(func(t *testing.T, agent string) {
		got := deviceOf(strings.ToValidUTF8(agent, ""))
		if len(got) > 40 || !utf8.ValidString(got) {
			t.Errorf("%q", got)
		}
	})
}

package hasura

import "strings"

// deviceOf names the program and the system that a user agent speaks of, for a person to know their
// devices by: "Firefox on Windows". What it does not know it leaves out. A user agent is what a client
// says of itself, and proves nothing.
func deviceOf(userAgent string) string {
	program, system := firstIn(userAgent, programs), firstIn(userAgent, systems)
	switch {
	case program != "" && system != "":
		return program + " on " + system
	case program != "" || system != "":
		return program + system
	}
	// A program that is no browser says its name first: "my-app/1.2 (build 7)".
	name, _, _ := strings.Cut(userAgent, " ")
	name, _, _ = strings.Cut(name, "/")
	const most = 40
	if len(name) > most {
		name = strings.ToValidUTF8(name[:most], "")
	}
	return name
}

// sign is a word of a user agent and what it means.
type sign struct{ word, means string }

func firstIn(userAgent string, signs []sign) string {
	for _, s := range signs {
		if strings.Contains(userAgent, s.word) {
			return s.means
		}
	}
	return ""
}

// Most browsers say the names of others as well, so the one that only one of them says comes first.
var programs = []sign{
	{"Edg/", "Edge"},
	{"EdgA/", "Edge"},
	{"EdgiOS/", "Edge"},
	{"OPR/", "Opera"},
	{"SamsungBrowser/", "Samsung Internet"},
	{"Vivaldi/", "Vivaldi"},
	{"FxiOS/", "Firefox"},
	{"Firefox/", "Firefox"},
	{"CriOS/", "Chrome"},
	{"HeadlessChrome/", "Chrome"},
	{"Electron/", "Electron"},
	{"Chrome/", "Chrome"},
	{"Safari/", "Safari"},
	{"curl/", "curl"},
	{"Go-http-client/", "Go"},
	{"python-requests/", "Python"},
	{"okhttp/", "okhttp"},
	{"Dart/", "Dart"},
}

var systems = []sign{
	{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Windows", "Windows"}, {"CrOS", "ChromeOS"}, {"Mac OS X", "macOS"}, {"Macintosh", "macOS"}, {"Linux", "Linux"},
}

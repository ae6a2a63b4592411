package passwords

import (
	"bufio"
	"context"
	"crypto/sha1" //#nosec G505 -- the service asks for SHA-1; nothing is protected by it
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"postern/auth"
)

const (
	hibpTime = 3 * time.Second
	hibpSize = 1 << 20 // an answer with its padding has about 60 KiB
)

// Policy says whether a new password is good enough. Make it with NewPolicy.
type Policy struct {
	// Unanswered, when set, is told that Have I Been Pwned did not answer and that the password
	// passed all the same.
	Unanswered func(error)

	settings Settings
	kinds    []string // of characters, of each of which a password needs one
	client   *http.Client
}

// NewPolicy reads the rules.
func NewPolicy(settings Settings) *Policy {
	return &Policy{settings: settings.defaults(), kinds: kindsOf(settings.Characters), client: &http.Client{
		Timeout:       hibpTime,
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConns: 4, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Check refuses a new password that is longer than its hash takes whole (auth.PasswordTooLong), and, as an auth.WeakPassword
// with every reason, one that is too short (auth.PasswordTooShort), has no character of a kind that it needs
// (auth.PasswordTooPlain) or, where nothing else is wrong with it, is known from a leak (auth.PasswordLeaked).
func (p *Policy) Check(ctx context.Context, password string) error {
	if err := fits(p.settings, password); err != nil {
		return err
	}
	if weak := p.Weakness(password); weak != nil {
		return *weak
	}
	if !p.settings.HIBP {
		return nil
	}
	leaked, err := p.leaked(ctx, password)
	switch {
	case err == nil && leaked:
		return *p.with(nil, auth.PasswordLeaked)
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case p.settings.HIBPFail != "open":
		return fmt.Errorf("%w: looking up leaked passwords: %w", auth.Internal, err)
	}
	if p.Unanswered != nil {
		p.Unanswered(err)
	}
	return nil
}

// Weakness is what a new password would be refused for without anybody being asked of it; nil when nothing. Length is counted in
// characters (code points), as people do.
func (p *Policy) Weakness(password string) *auth.WeakPassword {
	var weak *auth.WeakPassword
	if utf8.RuneCountInString(password) < p.settings.MinLength {
		weak = p.with(weak, auth.PasswordTooShort)
	}
	for _, kind := range p.kinds {
		if !strings.ContainsAny(password, kind) {
			return p.with(weak, auth.PasswordTooPlain)
		}
	}
	return weak
}

// with adds a reason.
func (p *Policy) with(weak *auth.WeakPassword, reason auth.Code) *auth.WeakPassword {
	if weak == nil {
		weak = &auth.WeakPassword{Least: p.settings.MinLength, Kinds: p.kinds}
	}
	weak.Reasons = append(weak.Reasons, reason)
	return weak
}

// kindsOf reads kinds of characters with colons between them. A backslash before a colon makes it one of the characters; before
// anything else it is one itself.
func kindsOf(text string) []string {
	var kinds []string
	var kind strings.Builder
	end := func() {
		if kind.Len() > 0 {
			kinds = append(kinds, kind.String())
		}
		kind.Reset()
	}
	for i := 0; i < len(text); i++ {
		switch {
		case strings.HasPrefix(text[i:], `\:`):
			kind.WriteByte(':')
			i++
		case text[i] == ':':
			end()
		default:
			kind.WriteByte(text[i])
		}
	}
	end()
	return kinds
}

// leaked asks Have I Been Pwned for all leaked passwords whose hash begins like this one's. The
// answer is padded, so that its size does not tell the beginning either.
func (p *Policy) leaked(ctx context.Context, password string) (bool, error) {
	sum := sha1.Sum([]byte(password)) //#nosec G401 -- see the import
	digest := strings.ToUpper(hex.EncodeToString(sum[:]))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(p.settings.HIBPURL, "/")+"/range/"+digest[:5], http.NoBody)
	if err != nil {
		return false, errors.New("AUTH_PASSWORD_HIBP_URL is not a URL")
	}
	request.Header.Set("Add-Padding", "true")
	request.Header.Set("User-Agent", "Postern")
	answer, err := p.client.Do(request)
	if err != nil {
		var where *url.Error // repeats the address, and with it the beginning of the hash
		if errors.As(err, &where) {
			err = where.Err
		}
		return false, err
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return false, fmt.Errorf("status %d", answer.StatusCode)
	}
	return listed(io.LimitReader(answer.Body, hibpSize+1), digest[5:])
}

// listed looks for the rest of a hash among lines "REST:COUNT". Lines with a count of 0 are padding.
func listed(body io.Reader, rest string) (bool, error) {
	lines := bufio.NewScanner(body)
	read, found := 0, false
	for lines.Scan() {
		read += len(lines.Bytes()) + 1
		suffix, count, ok := strings.Cut(strings.TrimSpace(lines.Text()), ":")
		if !ok || len(suffix) != len(rest) {
			return false, errors.New("the answer is not a list of hashes")
		}
		if strings.EqualFold(suffix, rest) && strings.Trim(count, "0 ") != "" {
			found = true
		}
	}
	switch {
	case lines.Err() != nil:
		return false, lines.Err()
	case read > hibpSize:
		return false, errors.New("the answer is too long")
	case read == 0:
		return false, errors.New("the answer is empty")
	}
	return found, nil
}

package server

import (
	"bytes"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"postern/auth"
)

// AskToConfirm shows a page with a button, which posts to the address of the page: mail scanners follow links and press no
// buttons. What the link is for, and where it leads, is on the page.
func AskToConfirm(w http.ResponseWriter, r *http.Request, purpose auth.Purpose, redirectTo string) error {
	text := confirmTexts[language(r.Header.Get("Accept-Language"))]
	var page bytes.Buffer
	err := confirmPage.Execute(&page, map[string]any{
		"Lang": text.lang, "Title": text.title[purpose], "Button": text.button[purpose], "Hint": text.hint,
		"Host": hostOf(redirectTo),
	})
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	// No form-action: browsers apply it to the redirect that follows, which leads elsewhere.
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	w.WriteHeader(http.StatusOK)
	_, err = w.Write(page.Bytes())
	return err
}

// AsksFirst tells whether whoever opens the link of a mail gets that page: by AUTH_LINK_CONFIRMATION, browsers, everybody or
// nobody.
func AsksFirst(confirmation string, r *http.Request) bool {
	switch confirmation {
	case "always":
		return true
	case "off":
		return false
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html") || looksLikeBrowser(r.Header) || prefetches(r.Header)
}

// looksLikeBrowser tells whether a client says that it is a browser, or a program that fetches pages
// for people: mail scanners say the first and link previews the second, often without asking for
// HTML. Scripts and test suites say neither.
func looksLikeBrowser(h http.Header) bool {
	agent := strings.ToLower(h.Get("User-Agent"))
	for _, word := range []string{"mozilla/", "bot", "preview", "scan", "crawl", "spider", "externalhit", "whatsapp", "safelinks"} {
		if strings.Contains(agent, word) {
			return true
		}
	}
	return h.Get("Range") != ""
}

// prefetches tells whether a program looks at a link before a person has asked it to.
func prefetches(h http.Header) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		v := strings.ToLower(h.Get(name))
		if strings.Contains(v, "prefetch") || strings.Contains(v, "preview") {
			return true
		}
	}
	return false
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

// language picks the first language of Accept-Language that there are texts for.
func language(accept string) string {
	for _, part := range strings.Split(accept, ",") {
		tag, _, _ := strings.Cut(strings.TrimSpace(part), ";")
		tag, _, _ = strings.Cut(strings.ToLower(tag), "-")
		if _, ok := confirmTexts[tag]; ok {
			return tag
		}
	}
	return "en"
}

type confirmText struct {
	lang   string
	title  map[auth.Purpose]string
	button map[auth.Purpose]string
	hint   string
}

func texts(lang, hint string, rows ...[2]string) confirmText {
	t := confirmText{lang: lang, hint: hint, title: map[auth.Purpose]string{}, button: map[auth.Purpose]string{}}
	for i, p := range []auth.Purpose{auth.VerifyEmail, auth.ConfirmEmailChange, auth.ResetPassword, auth.SignInByEmail} {
		t.title[p], t.button[p] = rows[i][0], rows[i][1]
	}
	t.title[auth.Invitation], t.button[auth.Invitation] = t.title[auth.SignInByEmail], t.button[auth.SignInByEmail]
	return t
}

var confirmTexts = map[string]confirmText{
	"en": texts("en", "If you did not ask for this, close this page. Nothing happens until you press the button.",
		[2]string{"Confirm your e-mail address", "Confirm address"}, [2]string{"Confirm your new e-mail address", "Confirm new address"},
		[2]string{"Set a new password", "Continue"}, [2]string{"Sign in", "Sign in"}),
	"fr": texts("fr", "Si vous n’avez rien demandé, fermez cette page. Rien ne se passe tant que vous n’appuyez pas sur le bouton.",
		[2]string{"Confirmez votre adresse e-mail", "Confirmer l’adresse"}, [2]string{"Confirmez votre nouvelle adresse e-mail", "Confirmer la nouvelle adresse"},
		[2]string{"Choisissez un nouveau mot de passe", "Continuer"}, [2]string{"Se connecter", "Se connecter"}),
	"es": texts("es", "Si no lo has pedido, cierra esta página. No ocurre nada hasta que pulses el botón.",
		[2]string{"Confirma tu dirección de correo", "Confirmar dirección"}, [2]string{"Confirma tu nueva dirección de correo", "Confirmar nueva dirección"},
		[2]string{"Elige una nueva contraseña", "Continuar"}, [2]string{"Iniciar sesión", "Iniciar sesión"}),
	"de": texts("de", "Falls Sie das nicht angefordert haben, schließen Sie diese Seite. Es geschieht nichts, bevor Sie die Taste drücken.",
		[2]string{"E-Mail-Adresse bestätigen", "Adresse bestätigen"}, [2]string{"Neue E-Mail-Adresse bestätigen", "Neue Adresse bestätigen"},
		[2]string{"Neues Passwort wählen", "Weiter"}, [2]string{"Anmelden", "Anmelden"}),
	"bg": texts("bg", "Ако не сте поискали това, затворете страницата. Нищо не се случва, докато не натиснете бутона.",
		[2]string{"Потвърдете имейл адреса си", "Потвърждаване на адреса"}, [2]string{"Потвърдете новия си имейл адрес", "Потвърждаване на новия адрес"},
		[2]string{"Задайте нова парола", "Продължаване"}, [2]string{"Вход", "Вход"}),
	"cs": texts("cs", "Pokud jste o to nežádali, stránku zavřete. Dokud nestisknete tlačítko, nic se nestane.",
		[2]string{"Potvrďte svou e-mailovou adresu", "Potvrdit adresu"}, [2]string{"Potvrďte svou novou e-mailovou adresu", "Potvrdit novou adresu"},
		[2]string{"Nastavte si nové heslo", "Pokračovat"}, [2]string{"Přihlásit se", "Přihlásit se"}),
}

var confirmPage = template.Must(template.New("confirm").Parse(`<!doctype html>
<html lang="{{.Lang}}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{{.Title}}</title>
<style>
:root { color-scheme: light dark; --back: #f4f5f7; --card: #fff; --ink: #1c2330; --soft: #5c6675; --line: #e3e6ea; --main: #2456c7; }
@media (prefers-color-scheme: dark) { :root { --back: #12151b; --card: #1b2029; --ink: #eef1f5; --soft: #a3adba; --line: #2b323e; --main: #5b8cff; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 24px; background: var(--back); color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { width: 100%; max-width: 420px; background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 36px 32px; text-align: center; }
h1 { margin: 0 0 4px; font-size: 1.35rem; line-height: 1.3; }
p { margin: 0; color: var(--soft); }
form { margin: 28px 0; }
button { width: 100%; border: 0; border-radius: 10px; padding: 14px 20px; background: var(--main); color: #fff; font: inherit; font-weight: 600; cursor: pointer; }
button:hover { filter: brightness(1.08); }
button:focus-visible { outline: 3px solid var(--main); outline-offset: 3px; }
small { color: var(--soft); }
</style>
</head>
<body>
<main>
<h1>{{.Title}}</h1>
{{with .Host}}<p>{{.}}</p>{{end}}
<form method="post"><button type="submit">{{.Button}}</button></form>
<small>{{.Hint}}</small>
</main>
</body>
</html>
`))

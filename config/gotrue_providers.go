package config

import (
	"net/url"
	"strings"
)

// theirStems are the providers as GoTrue's names have them, with what ours have where that differs.
var theirStems = []struct {
	theirs string
	ours   string   // empty: there is no such provider
	url    []part   // what the base URL means
	past   string   // why there is none
	secret []string // settings that take the place of the secret
}{
	{theirs: "APPLE", ours: "APPLE", secret: []string{"AUTH_PROVIDER_APPLE_TEAM_ID", "AUTH_PROVIDER_APPLE_KEY_ID", "AUTH_PROVIDER_APPLE_PRIVATE_KEY"}},
	{theirs: "AZURE", ours: "AZURE", url: []part{{"AUTH_PROVIDER_AZURE_TENANT", tenantIn}}},
	{theirs: "BITBUCKET", ours: "BITBUCKET"},
	{theirs: "DISCORD", ours: "DISCORD"},
	{theirs: "FACEBOOK", ours: "FACEBOOK"},
	{theirs: "FIGMA", ours: "FIGMA"},
	{theirs: "FLY", ours: "FLY"},
	{theirs: "GITHUB", ours: "GITHUB", url: []part{
		{"AUTH_PROVIDER_GITHUB_AUTHORIZATION_URL", below("/login/oauth/authorize")},
		{"AUTH_PROVIDER_GITHUB_TOKEN_URL", below("/login/oauth/access_token")},
		{"AUTH_PROVIDER_GITHUB_USER_PROFILE_URL", below("/api/v3/user")},
	}},
	{theirs: "GITLAB", ours: "GITLAB", url: []part{{"AUTH_PROVIDER_GITLAB_URL", below("")}}},
	{theirs: "GOOGLE", ours: "GOOGLE"},
	{theirs: "KAKAO", ours: "KAKAO"},
	{theirs: "KEYCLOAK", ours: "KEYCLOAK", url: []part{{"AUTH_PROVIDER_KEYCLOAK_URL", below("")}}},
	{theirs: "LINKEDIN", past: "LinkedIn closed that API; GOTRUE_EXTERNAL_LINKEDIN_OIDC_… is the one there is"},
	{theirs: "LINKEDIN_OIDC", ours: "LINKEDIN"},
	{theirs: "NOTION", ours: "NOTION"},
	{theirs: "SLACK", past: "Slack closed that API; GOTRUE_EXTERNAL_SLACK_OIDC_… is the one there is"},
	{theirs: "SLACK_OIDC", ours: "SLACK"},
	{theirs: "SNAPCHAT", ours: "SNAPCHAT"},
	{theirs: "SPOTIFY", ours: "SPOTIFY"},
	{theirs: "TWITCH", ours: "TWITCH"},
	{theirs: "TWITTER", ours: "TWITTER"},
	{theirs: "VERCEL_MARKETPLACE", past: "there is no such provider"},
	{theirs: "WORKOS", ours: "WORKOS"},
	{theirs: "X", ours: "X"},
	{theirs: "ZOOM", ours: "ZOOM"},
}

// theirProviders are the ways in by those who vouch for people, and which ways there are.
func theirProviders() []theirs {
	web3, own := "there is no sign-in by wallets", "providers are set up by settings alone"
	rows := []theirs{
		is("EXTERNAL_EMAIL_ENABLED", "AUTH_GOTRUE_EMAIL_ENABLED", nil, "of this door"),
		is("EXTERNAL_EMAIL_MAGIC_LINK_ENABLED", "AUTH_EMAIL_PASSWORDLESS_ENABLED", nil, ""),
		is("EXTERNAL_EMAIL_AUTHORIZED_ADDRESSES", "AUTH_ACCESS_CONTROL_ALLOWED_EMAILS", nil, "others may not only get no mail: they may not sign up or in"),
		is("EXTERNAL_PHONE_ENABLED", "AUTH_SMS_PASSWORDLESS_ENABLED", nil, ""),
		is("EXTERNAL_ANONYMOUS_USERS_ENABLED", "AUTH_ANONYMOUS_USERS_ENABLED", nil, ""),
		is("EXTERNAL_IOS_BUNDLE_ID", "AUTH_PROVIDER_APPLE_AUDIENCE", nil, ""),
		vain("EXTERNAL_ALLOWED_ID_TOKEN_ISSUERS", "ID tokens are taken of the providers that are set up"),
		vain("EXTERNAL_REDIRECTURL", "who comes back from a provider goes where the request asked to, as far as GOTRUE_URI_ALLOW_LIST allows that, else to GOTRUE_SITE_URL"),
		vain("EXTERNAL_FLOW_STATE_EXPIRY_DURATION", "a sign-in at a provider may take ten minutes, at every door"),
		vain("EXTERNAL_OIDC_PROVIDER_CACHE_TTL", "what providers publish is kept as long as they say"),
		absent("EXTERNAL_WEB3_SOLANA_ENABLED", web3), absent("EXTERNAL_WEB3_ETHEREUM_ENABLED", web3),
		vain("EXTERNAL_WEB3_SOLANA_MAXIMUM_VALIDITY_DURATION", web3), vain("EXTERNAL_WEB3_ETHEREUM_MAXIMUM_VALIDITY_DURATION", web3),
		absent("CUSTOM_OAUTH_ENABLED", own), vain("CUSTOM_OAUTH_MAX_PROVIDERS", own), vain("CUSTOM_OAUTH_EXTERNAL_URL", own),
	}
	for _, s := range theirStems {
		rows = append(rows, rowsOfProvider(s.theirs, s.ours, s.past, s.url, s.secret)...)
	}
	return rows
}

// rowsOfProvider are the eight variables of one provider.
func rowsOfProvider(stem, ours, past string, base []part, instead []string) []theirs {
	name := func(ending string) string { return "EXTERNAL_" + stem + "_" + ending }
	var rows []theirs
	if ours == "" {
		rows = append(rows, absent(name("ENABLED"), past))
		for _, ending := range []string{"CLIENT_ID", "SECRET", "REDIRECT_URI", "URL", "API_URL"} {
			rows = append(rows, vain(name(ending), past))
		}
		return append(rows, absent(name("SKIP_NONCE_CHECK"), past), absent(name("EMAIL_OPTIONAL"), past))
	}
	variable := func(ending string) string { return "AUTH_PROVIDER_" + ours + "_" + ending }
	id, secret := variable("CLIENT_ID"), variable("CLIENT_SECRET")
	if ours == "TWITTER" {
		id, secret = variable("CONSUMER_KEY"), variable("CONSUMER_SECRET")
	}
	ids := theirs{name: name("CLIENT_ID"), to: []part{{id, first}}}
	if withAudience[ours] {
		ids.to, ids.doc = append(ids.to, part{variable("AUDIENCE"), rest}), "the first; further ones are audiences of ID tokens"
	}
	rows = append(rows, is(name("ENABLED"), variable("ENABLED"), nil, ""), ids)
	if instead != nil {
		rows = append(rows, vain(name("SECRET"), "the secret is made here, of "+strings.Join(instead, ", ")))
	} else {
		rows = append(rows, is(name("SECRET"), secret, nil, ""))
	}
	if base != nil {
		rows = append(rows, theirs{name: name("URL"), to: base})
	} else {
		rows = append(rows, vain(name("URL"), "the provider has one address"))
	}
	return append(
		rows,
		is(name("REDIRECT_URI"), variable("REDIRECT_URI"), nil, ""),
		vain(name("API_URL"), "GoTrue hardly reads it either"),
		absent(name("SKIP_NONCE_CHECK"), "a nonce in an ID token is always checked, since the token of another sign-in would do without; an ID token without one needs none"),
		absent(name("EMAIL_OPTIONAL"), "an account from a provider never needs an address"),
	)
}

// withAudience are the providers whose ID tokens are read.
var withAudience = map[string]bool{"APPLE": true, "AZURE": true, "GOOGLE": true, "KEYCLOAK": true, "SLACK": true}

// first is the first entry of a list.
func first(value string) meant {
	if list := splitList(value); len(list) > 0 {
		return meant{value: list[0]}
	}
	return meant{}
}

// rest are the entries after the first.
func rest(value string) meant {
	if list := splitList(value); len(list) > 1 {
		return meant{value: strings.Join(list[1:], ",")}
	}
	return meant{}
}

// below is an address below another.
func below(path string) meaning {
	return func(value string) meant {
		if problem := checkURL(value); problem != "" {
			return bad(value, problem, formats["url"].expected)
		}
		return meant{value: strings.TrimRight(value, "/") + path}
	}
}

// tenantIn is the tenant in the address of Microsoft's login.
func tenantIn(value string) meant {
	u, err := url.Parse(value)
	if err != nil || u.Host != "login.microsoftonline.com" {
		return bad(value, "is no address of Microsoft's login", "such as https://login.microsoftonline.com/common")
	}
	tenant, _, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
	return meant{value: tenant}
}

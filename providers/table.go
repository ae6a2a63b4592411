package providers

import (
	"regexp"
	"strings"
)

// row is all there is to know about one provider. A plain one needs nothing else: to add it, add
// its row here and what it answers to the fake provider of the tests.
type row struct {
	name  string // in paths and in the database
	env   string // between AUTH_PROVIDER_ and the name of the setting
	title string // for people
	kind  kind

	authorize, token, userinfo string // {base} and {tenant} stand for settings
	refresh                    string // where it differs from token
	emails                     string // a second endpoint, which lists e-mail addresses
	base                       string // what {base} is unless set

	scopes      []string // asked for unless set
	takesScopes bool     // can be asked for scopes, and has no default
	comma       bool     // scopes are separated by commas
	inHeader    bool     // takes the client's secret by HTTP Basic, else in the body
	pkce        bool     // takes a PKCE challenge (S256)
	nonce       bool     // gives id tokens that repeat a nonce

	params    map[string]string // of the authorize URL, besides the usual ones
	headers   map[string]string // of requests for the profile; {client} stands for the client id
	ask       []string          // parameters that clients may add to the authorize URL
	profile   func(answers) Profile
	variables []variable // settings beside the usual ones
	needsURL  bool

	issuer   issuerKind
	iss      []string // spellings of the issuer, where it is fixed
	keys     string   // where its keys are, where it is fixed
	discover string   // where its metadata are, where it is not

	note string // for docs/providers.md: when an e-mail address counts as verified, and quirks
}

// kind says whether a provider is plain, or which file it has.
type kind int

const (
	kindPlain kind = iota
	kindApple
	kindTwitter
	kindWorkOS
)

// issuerKind says how the issuer of a provider's id tokens is known.
type issuerKind int

const (
	issuerNone   issuerKind = iota // gives no id tokens that we read
	issuerFixed                    // in the row
	issuerTenant                   // Microsoft: one for each tenant
	issuerBase                     // the base URL is the issuer
	issuerSet                      // named by the operator
)

// variable is a setting that few providers have.
type variable struct {
	ending, doc, tags string
	field             func(*Client) any
}

// tenantName is the id of a Microsoft tenant, one of its domains, or a word for several.
var tenantName = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,98}[A-Za-z0-9])?$`)

func tenant() []variable {
	return []variable{{
		"TENANT", "Whose accounts may sign in: a tenant's id or domain, or common, organizations or consumers.", `default:"common"`,
		func(c *Client) any { return &c.Tenant },
	}}
}

// rows is the table. The order is that of the documentation.
func rows() []row {
	return []row{
		{
			name: "apple", env: "APPLE", title: "Apple", kind: kindApple,
			authorize: "https://appleid.apple.com/auth/authorize",
			token:     "https://appleid.apple.com/auth/token",
			scopes:    []string{"name", "email"}, nonce: true,
			params:  map[string]string{"response_mode": "form_post"}, // asked for by Apple as soon as there are scopes
			profile: appleProfile,
			issuer:  issuerFixed, iss: []string{appleIssuer}, keys: "https://appleid.apple.com/auth/keys",
			variables: []variable{
				{"TEAM_ID", "Id of the developer team at Apple.", "", func(c *Client) any { return &c.TeamID }},
				{"KEY_ID", "Id of the private key at Apple.", "", func(c *Client) any { return &c.KeyID }},
				{"PRIVATE_KEY", "Private key from Apple that makes the client secret: the text of the .p8 file, its line breaks as they are or as \\n, or base64 of it.", `secret:"true"`, func(c *Client) any { return &c.PrivateKey }},
			},
			note: "`email_verified` is `true` or, as Apple documents, `\"true\"`. The callback is a form. The name comes with the first sign-in alone.",
		},
		{
			name: "azure", env: "AZURE", title: "Microsoft (as Supabase Auth has it)",
			authorize: "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize",
			token:     "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
			scopes:    []string{"openid", "email", "profile", "offline_access"}, pkce: true, nonce: true,
			profile: azureProfile, variables: tenant(),
			issuer: issuerTenant, discover: "https://login.microsoftonline.com/{tenant}/v2.0/.well-known/openid-configuration",
			note: "the optional claim `xms_edov` of the id token is `true`",
		},
		{
			name: "azuread", env: "AZUREAD", title: "Azure AD (old endpoints; better is entraid)",
			authorize: "https://login.microsoftonline.com/{tenant}/oauth2/authorize",
			token:     "https://login.microsoftonline.com/{tenant}/oauth2/token",
			userinfo:  "https://login.microsoftonline.com/{tenant}/openid/userinfo",
			scopes:    []string{"email", "profile", "openid", "offline_access"}, pkce: true, nonce: true,
			params: map[string]string{"prompt": "select_account"}, profile: azureADProfile, variables: tenant(),
			issuer: issuerTenant, discover: "https://login.microsoftonline.com/{tenant}/.well-known/openid-configuration",
			note: "the optional claim `xms_edov` of the id token is `true`; a user principal name never counts as an address",
		},
		{
			name: "bitbucket", env: "BITBUCKET", title: "Bitbucket",
			authorize: "https://bitbucket.org/site/oauth2/authorize",
			token:     "https://bitbucket.org/site/oauth2/access_token",
			userinfo:  "https://api.bitbucket.org/2.0/user",
			emails:    "https://api.bitbucket.org/2.0/user/emails",
			scopes:    []string{"account"}, inHeader: true, profile: bitbucketProfile,
			note: "`is_confirmed` of the primary address is `true`",
		},
		{
			name: "discord", env: "DISCORD", title: "Discord",
			authorize: "https://discord.com/api/oauth2/authorize",
			token:     "https://discord.com/api/oauth2/token",
			userinfo:  "https://discord.com/api/users/@me",
			scopes:    []string{"identify", "email"}, pkce: true, profile: discordProfile,
			note: "`verified` is `true`",
		},
		{
			name: "entraid", env: "ENTRAID", title: "Microsoft Entra ID",
			authorize: "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize",
			token:     "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
			userinfo:  "https://graph.microsoft.com/oidc/userinfo",
			scopes:    []string{"email", "profile", "openid", "offline_access"}, pkce: true, nonce: true,
			profile: entraProfile, variables: tenant(),
			issuer: issuerTenant, discover: "https://login.microsoftonline.com/{tenant}/v2.0/.well-known/openid-configuration",
			note: "the optional claim `xms_edov` of the id token is `true`",
		},
		{
			name: "facebook", env: "FACEBOOK", title: "Facebook",
			authorize: "https://www.facebook.com/v22.0/dialog/oauth",
			token:     "https://graph.facebook.com/v22.0/oauth/access_token",
			userinfo:  "https://graph.facebook.com/v22.0/me?fields=id,name,email,picture",
			scopes:    []string{"email"}, comma: true, profile: facebookProfile,
			note: "never: Facebook does not say",
		},
		{
			name: "figma", env: "FIGMA", title: "Figma",
			authorize: "https://www.figma.com/oauth",
			token:     "https://api.figma.com/v1/oauth/token",
			refresh:   "https://api.figma.com/v1/oauth/refresh",
			userinfo:  "https://api.figma.com/v1/me",
			scopes:    []string{"current_user:read"}, inHeader: true, profile: figmaProfile,
			note: "never: Figma does not say",
		},
		{
			name: "fly", env: "FLY", title: "Fly.io",
			authorize: "https://api.fly.io/oauth/authorize",
			token:     "https://api.fly.io/oauth/token",
			userinfo:  "https://api.fly.io/oauth/token/info",
			scopes:    []string{"read"}, profile: flyProfile,
			note: "never: Fly.io does not say",
		},
		{
			name: "github", env: "GITHUB", title: "GitHub",
			authorize: "https://github.com/login/oauth/authorize",
			token:     "https://github.com/login/oauth/access_token",
			userinfo:  "https://api.github.com/user",
			emails:    "{userinfo}/emails",
			scopes:    []string{"user:email"}, pkce: true, profile: githubProfile,
			headers: map[string]string{"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"},
			variables: []variable{
				{"AUTHORIZATION_URL", "Where people agree, for GitHub Enterprise.", `default:"https://github.com/login/oauth/authorize" format:"url"`, func(c *Client) any { return &c.AuthorizeURL }},
				{"TOKEN_URL", "Where codes become tokens, for GitHub Enterprise.", `default:"https://github.com/login/oauth/access_token" format:"url"`, func(c *Client) any { return &c.TokenURL }},
				{"USER_PROFILE_URL", "Where the profile is, for GitHub Enterprise; the addresses are at /emails below it.", `default:"https://api.github.com/user" format:"url"`, func(c *Client) any { return &c.ProfileURL }},
			},
			note: "`verified` of the primary address is `true`",
		},
		{
			name: "gitlab", env: "GITLAB", title: "GitLab", base: "https://gitlab.com",
			authorize: "{base}/oauth/authorize",
			token:     "{base}/oauth/token",
			userinfo:  "{base}/api/v4/user",
			scopes:    []string{"read_user"}, pkce: true, profile: gitlabProfile,
			variables: []variable{{
				"URL AUTH_PROVIDER_GITLAB_BASE_URL", "Address of a GitLab of your own.", `default:"https://gitlab.com" format:"url"`, func(c *Client) any { return &c.URL },
			}},
			note: "never: the API has no boolean for it. A GitLab named as an OpenID Connect issuer says it",
		},
		{
			name: "google", env: "GOOGLE", title: "Google",
			authorize: "https://accounts.google.com/o/oauth2/v2/auth",
			token:     "https://oauth2.googleapis.com/token",
			userinfo:  "https://www.googleapis.com/oauth2/v2/userinfo",
			scopes:    []string{"openid", "email", "profile"}, pkce: true, nonce: true,
			params: map[string]string{"access_type": "offline"}, profile: googleProfile,
			issuer: issuerFixed, iss: []string{"https://accounts.google.com", "accounts.google.com"}, keys: "https://www.googleapis.com/oauth2/v3/certs",
			note: "`verified_email`, or `email_verified` of an id token, is `true`",
		},
		{
			name: "kakao", env: "KAKAO", title: "Kakao",
			authorize: "https://kauth.kakao.com/oauth/authorize",
			token:     "https://kauth.kakao.com/oauth/token",
			userinfo:  "https://kapi.kakao.com/v2/user/me",
			scopes:    []string{"account_email", "profile_image", "profile_nickname"}, comma: true, profile: kakaoProfile,
			note: "`is_email_valid` and `is_email_verified` are both `true`",
		},
		{
			name: "keycloak", env: "KEYCLOAK", title: "Keycloak",
			scopes: []string{"openid", "email", "profile"}, pkce: true, nonce: true, profile: oidcProfile,
			issuer: issuerBase, discover: "{base}/.well-known/openid-configuration", needsURL: true,
			variables: []variable{{
				"URL", "Address of the realm, such as https://keycloak.example.com/realms/main.", `format:"url"`, func(c *Client) any { return &c.URL },
			}},
			note: "`email_verified` is `true`",
		},
		{
			name: "linkedin", env: "LINKEDIN", title: "LinkedIn",
			authorize: "https://www.linkedin.com/oauth/v2/authorization",
			token:     "https://www.linkedin.com/oauth/v2/accessToken",
			userinfo:  "https://api.linkedin.com/v2/userinfo",
			scopes:    []string{"openid", "profile", "email"}, profile: claimsOfUserinfo,
			note: "`email_verified` is `true`",
		},
		{
			name: "notion", env: "NOTION", title: "Notion",
			authorize: "https://api.notion.com/v1/oauth/authorize",
			token:     "https://api.notion.com/v1/oauth/token",
			userinfo:  "https://api.notion.com/v1/users/me",
			inHeader:  true, profile: notionProfile,
			params: map[string]string{"owner": "user"}, headers: map[string]string{"Notion-Version": "2022-06-28"},
			note: "never: Notion does not say",
		},
		{
			name: "slack", env: "SLACK", title: "Slack",
			authorize: "https://slack.com/openid/connect/authorize",
			token:     "https://slack.com/api/openid.connect.token",
			userinfo:  "https://slack.com/api/openid.connect.userInfo",
			scopes:    []string{"openid", "profile", "email"}, nonce: true, profile: slackProfile,
			issuer: issuerFixed, iss: []string{"https://slack.com"}, keys: "https://slack.com/openid/connect/keys",
			note: "`email_verified` is `true`",
		},
		{
			name: "snapchat", env: "SNAPCHAT", title: "Snapchat",
			authorize: "https://accounts.snapchat.com/accounts/oauth2/auth",
			token:     "https://accounts.snapchat.com/accounts/oauth2/token",
			userinfo:  "https://kit.snapchat.com/v1/me?query=%7Bme%7BexternalId+displayName+bitmoji%7Bavatar+id%7D%7D%7D",
			scopes: []string{
				"https://auth.snapchat.com/oauth2/api/user.external_id",
				"https://auth.snapchat.com/oauth2/api/user.display_name",
				"https://auth.snapchat.com/oauth2/api/user.bitmoji.avatar",
			},
			pkce: true, profile: snapchatProfile,
			note: "there is no address",
		},
		{
			name: "spotify", env: "SPOTIFY", title: "Spotify",
			authorize: "https://accounts.spotify.com/authorize",
			token:     "https://accounts.spotify.com/api/token",
			userinfo:  "https://api.spotify.com/v1/me",
			scopes:    []string{"user-read-email", "user-read-private"}, inHeader: true, pkce: true, profile: spotifyProfile,
			note: "never: Spotify says that it is not",
		},
		{
			name: "strava", env: "STRAVA", title: "Strava",
			authorize: "https://www.strava.com/oauth/authorize",
			token:     "https://www.strava.com/api/v3/oauth/token",
			userinfo:  "https://www.strava.com/api/v3/athlete",
			scopes:    []string{"profile:read_all"}, comma: true, profile: stravaProfile,
			params: map[string]string{"approval_prompt": "force"},
			note:   "there is no address",
		},
		{
			name: "twitch", env: "TWITCH", title: "Twitch",
			authorize: "https://id.twitch.tv/oauth2/authorize",
			token:     "https://id.twitch.tv/oauth2/token",
			userinfo:  "https://api.twitch.tv/helix/users",
			scopes:    []string{"user:read:email"}, profile: twitchProfile,
			headers: map[string]string{"Client-Id": "{client}"},
			note:    "never: the answer has no boolean for it",
		},
		{
			name: "twitter", env: "TWITTER", title: "Twitter (OAuth 1.0a)", kind: kindTwitter,
			authorize: "https://api.twitter.com/oauth/authorize",
			token:     "https://api.twitter.com/oauth/access_token",
			userinfo:  "https://api.twitter.com/1.1/account/verify_credentials.json",
			profile:   twitterProfile,
			note:      "never: the answer has no boolean for it. No PKCE, no renewal of tokens",
		},
		{
			name: "windowslive", env: "WINDOWS_LIVE", title: "Windows Live (old; better is entraid)",
			authorize: "https://login.live.com/oauth20_authorize.srf",
			token:     "https://login.live.com/oauth20_token.srf",
			userinfo:  "https://apis.live.net/v5.0/me",
			scopes:    []string{"wl.basic", "wl.emails"}, profile: windowsLiveProfile,
			note: "never: the answer does not say",
		},
		{
			name: "workos", env: "WORKOS", title: "WorkOS", kind: kindWorkOS,
			authorize: "https://api.workos.com/sso/authorize",
			token:     "https://api.workos.com/sso/token",
			userinfo:  "https://api.workos.com/sso/profile",
			profile:   workosProfile, takesScopes: true, ask: []string{"connection", "organization"},
			variables: []variable{
				{"DEFAULT_CONNECTION", "Connection to sign in through, unless the client names one or an organization.", "", func(c *Client) any { return &c.DefaultConnection }},
				{"DEFAULT_ORGANIZATION", "Organization to sign in at, unless the client names one or a connection.", "", func(c *Client) any { return &c.DefaultOrganization }},
				{"DEFAULT_DOMAIN", "Domain whose connection is used when there is nothing else.", "", func(c *Client) any { return &c.DefaultDomain }},
			},
			note: "never: the customer's own directory is the source",
		},
		{
			name: "x", env: "X", title: "X (OAuth 2)",
			authorize: "https://x.com/i/oauth2/authorize",
			token:     "https://api.x.com/2/oauth2/token",
			userinfo:  "https://api.x.com/2/users/me?user.fields=id,name,username,confirmed_email,profile_image_url",
			scopes:    []string{"users.email", "tweet.read", "users.read", "offline.access"}, inHeader: true, pkce: true, profile: xProfile,
			note: "never: the answer has no boolean for it",
		},
		{
			name: "zoom", env: "ZOOM", title: "Zoom",
			authorize: "https://zoom.us/oauth/authorize",
			token:     "https://zoom.us/oauth/token",
			userinfo:  "https://api.zoom.us/v2/users/me",
			inHeader:  true, takesScopes: true, pkce: true, profile: zoomProfile,
			note: "never: Zoom's `verified` is a number",
		},
	}
}

// oidcRow is the row of an issuer that the operator names: MY_CORP makes the provider my-corp.
func oidcRow(env string) row {
	name := strings.ReplaceAll(strings.ToLower(env), "_", "-")
	return row{
		name: name, env: env, title: name,
		scopes: []string{"openid", "email", "profile"}, pkce: true, nonce: true, profile: oidcProfile,
		issuer: issuerSet, discover: "{base}/.well-known/openid-configuration",
		note: "`email_verified` is `true`",
	}
}

// rowOf finds the row of a provider, which may be one that the operator named.
func rowOf(name string) row {
	for _, r := range rows() {
		if r.name == name {
			return r
		}
	}
	return oidcRow(strings.ReplaceAll(strings.ToUpper(name), "-", "_"))
}

package fakeprovider

import "strings"

// shape is one provider: its real addresses, what it insists on, what it answers. It is written
// down a second time here, and not taken from the table of the providers, so that the two hold
// each other.
type shape struct {
	name     string
	at       map[Role]string // host and path
	basic    bool            // takes the client's secret by HTTP Basic alone, else in the body alone
	pkce     bool            // insists on a challenge
	comma    bool            // scopes are separated by commas
	scope    string          // insists on this one among the scopes
	form     bool            // tokens come as a form unless JSON is asked for
	issuer   string          // gives id tokens
	ec       bool            // signed with ES256
	posts    bool            // calls back with a form
	query    map[string]string
	header   map[string]string
	keeps    bool // a renewal gives no new refresh token
	scopeSet bool // the token's scope is a list
	user     func(p Person) any
	emails   func(p Person) any
	claims   func(p Person) map[string]any
}

const tenantIssuer = "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555"

func (p Person) given() string  { given, _, _ := strings.Cut(p.Name, " "); return given }
func (p Person) family() string { _, family, _ := strings.Cut(p.Name, " "); return family }

// decoys are flags that a provider does not have. Believing one would be a mistake.
func (p Person) decoys(m map[string]any) map[string]any {
	for _, name := range []string{"email_verified", "verified_email", "verified", "is_verified", "is_email_verified"} {
		if _, has := m[name]; !has {
			m[name] = p.Verified
		}
	}
	return m
}

func (p Person) standard() map[string]any {
	return map[string]any{"sub": p.ID, "email": p.email(), "email_verified": p.Verified, "name": p.Name, "picture": p.Avatar}
}

// email is the address, or nothing at all.
func (p Person) email() any {
	if p.Email == "" {
		return Missing
	}
	return p.Email
}

func (s *Server) table() []*shape {
	microsoft := func(p Person) map[string]any {
		return p.decoys(map[string]any{
			"sub": p.ID, "oid": p.ID, "tid": "11111111-2222-3333-4444-555555555555", "email": p.email(), "name": p.Name,
			"xms_edov": p.Verified, "upn": "ceo@victim.example", "preferred_username": "ceo@victim.example",
		})
	}
	login := "login.microsoftonline.com/{tenant}"
	return []*shape{
		{
			name: "apple", issuer: "https://appleid.apple.com", posts: true, query: map[string]string{"response_mode": "form_post"}, scope: "email",
			at: map[Role]string{Authorize: "appleid.apple.com/auth/authorize", Token: "appleid.apple.com/auth/token", Keys: "appleid.apple.com/auth/keys"},
			claims: func(p Person) map[string]any {
				return map[string]any{"sub": p.ID, "email": p.email(), "email_verified": p.Verified, "nonce_supported": true}
			},
		},
		{
			name: "azure", issuer: tenantIssuer + "/v2.0", pkce: true, scope: "openid", claims: microsoft,
			at: map[Role]string{Authorize: login + "/oauth2/v2.0/authorize", Token: login + "/oauth2/v2.0/token", Discovery: login + "/v2.0/.well-known/openid-configuration", Keys: login + "/discovery/v2.0/keys"},
		},
		{
			name: "azuread", issuer: "https://sts.windows.net/11111111-2222-3333-4444-555555555555/", pkce: true, scope: "openid", claims: microsoft,
			query: map[string]string{"prompt": "select_account"},
			at:    map[Role]string{Authorize: login + "/oauth2/authorize", Token: login + "/oauth2/token", Userinfo: login + "/openid/userinfo", Discovery: login + "/.well-known/openid-configuration", Keys: login + "/discovery/keys"},
			user:  func(p Person) any { return microsoft(p) },
		},
		{
			name: "bitbucket", basic: true, scope: "account",
			at: map[Role]string{Authorize: "bitbucket.org/site/oauth2/authorize", Token: "bitbucket.org/site/oauth2/access_token", Userinfo: "api.bitbucket.org/2.0/user", Emails: "api.bitbucket.org/2.0/user/emails"},
			user: func(p Person) any {
				return map[string]any{"uuid": p.ID, "display_name": p.Name, "links": map[string]any{"avatar": map[string]any{"href": p.Avatar}}}
			},
			emails: func(p Person) any {
				return map[string]any{"values": others(p, map[string]any{"email": p.email(), "is_primary": true, "is_confirmed": p.Verified}, "is_primary", "is_confirmed")}
			},
		},
		{
			name: "corp", issuer: s.URL + "/corp", pkce: true, ec: true, basic: true, scope: "openid",
			at:     map[Role]string{Authorize: "self/corp/authorize", Token: "self/corp/token", Userinfo: "self/corp/userinfo", Keys: "self/corp/keys", Discovery: "self/corp/.well-known/openid-configuration"},
			claims: Person.standard, user: func(p Person) any { return p.standard() },
		},
		{
			name: "discord", pkce: true, scope: "email",
			at: map[Role]string{Authorize: "discord.com/api/oauth2/authorize", Token: "discord.com/api/oauth2/token", Userinfo: "discord.com/api/users/@me"},
			user: func(p Person) any {
				return map[string]any{"id": p.ID, "username": p.Name, "discriminator": "0", "avatar": "a_abc", "email": p.email(), "verified": p.Verified}
			},
		},
		{
			name: "entraid", issuer: tenantIssuer + "/v2.0", pkce: true, scope: "openid", claims: microsoft,
			at: map[Role]string{Authorize: login + "/oauth2/v2.0/authorize", Token: login + "/oauth2/v2.0/token", Userinfo: "graph.microsoft.com/oidc/userinfo", Discovery: login + "/v2.0/.well-known/openid-configuration", Keys: login + "/discovery/v2.0/keys"},
			user: func(p Person) any {
				return p.decoys(map[string]any{"sub": p.ID, "email": p.email(), "givenname": p.given(), "familyname": p.family()})
			},
		},
		{
			name: "facebook", comma: true, scope: "email",
			at: map[Role]string{Authorize: "www.facebook.com/v22.0/dialog/oauth", Token: "graph.facebook.com/v22.0/oauth/access_token", Userinfo: "graph.facebook.com/v22.0/me"},
			user: func(p Person) any {
				return p.decoys(map[string]any{"id": p.ID, "name": p.Name, "email": p.email(), "picture": map[string]any{"data": map[string]any{"url": p.Avatar}}})
			},
		},
		{
			name: "figma", basic: true, scope: "current_user:read", keeps: true,
			at: map[Role]string{Authorize: "www.figma.com/oauth", Token: "api.figma.com/v1/oauth/token", Refresh: "api.figma.com/v1/oauth/refresh", Userinfo: "api.figma.com/v1/me"},
			user: func(p Person) any {
				return p.decoys(map[string]any{"id": p.ID, "handle": p.Name, "email": p.email(), "img_url": p.Avatar})
			},
		},
		{
			name: "fly", scope: "read",
			at: map[Role]string{Authorize: "api.fly.io/oauth/authorize", Token: "api.fly.io/oauth/token", Userinfo: "api.fly.io/oauth/token/info"},
			user: func(p Person) any {
				return p.decoys(map[string]any{"user_id": p.ID, "user_name": p.Name, "email": p.email(), "scope": []string{"read"}})
			},
		},
		{
			name: "github", pkce: true, form: true, scope: "user:email", header: map[string]string{"X-GitHub-Api-Version": "2022-11-28"},
			at: map[Role]string{Authorize: "github.com/login/oauth/authorize", Token: "github.com/login/oauth/access_token", Userinfo: "api.github.com/user", Emails: "api.github.com/user/emails"},
			user: func(p Person) any {
				return p.decoys(map[string]any{"id": p.ID, "login": p.given(), "name": p.Name, "avatar_url": p.Avatar, "email": "public@example.com"})
			},
			emails: func(p Person) any {
				return others(p, map[string]any{"email": p.email(), "primary": true, "verified": p.Verified, "visibility": nil}, "primary", "verified")
			},
		},
		{
			name: "gitlab", pkce: true, scope: "read_user",
			at: map[Role]string{Authorize: "gitlab.com/oauth/authorize", Token: "gitlab.com/oauth/token", Userinfo: "gitlab.com/api/v4/user"},
			user: func(p Person) any {
				return p.decoys(map[string]any{"id": p.ID, "username": p.given(), "name": p.Name, "email": p.email(), "confirmed_at": "2020-01-01T00:00:00Z", "avatar_url": p.Avatar})
			},
		},
		{
			name: "google", issuer: "https://accounts.google.com", pkce: true, scope: "openid", keeps: true, query: map[string]string{"access_type": "offline"},
			at: map[Role]string{Authorize: "accounts.google.com/o/oauth2/v2/auth", Token: "oauth2.googleapis.com/token", Userinfo: "www.googleapis.com/oauth2/v2/userinfo", Keys: "www.googleapis.com/oauth2/v3/certs"},
			user: func(p Person) any {
				return map[string]any{"id": p.ID, "email": p.email(), "verified_email": p.Verified, "name": p.Name, "picture": p.Avatar}
			},
			claims: Person.standard,
		},
		{
			name: "kakao", comma: true, scope: "account_email",
			at: map[Role]string{Authorize: "kauth.kakao.com/oauth/authorize", Token: "kauth.kakao.com/oauth/token", Userinfo: "kapi.kakao.com/v2/user/me"},
			user: func(p Person) any {
				return map[string]any{"id": p.ID, "kakao_account": map[string]any{
					"email": p.email(), "is_email_valid": true, "is_email_verified": p.Verified,
					"profile": map[string]any{"nickname": p.Name, "profile_image_url": p.Avatar},
				}}
			},
		},
		{
			name: "keycloak", issuer: s.URL + "/realms/main", pkce: true, scope: "openid",
			at: map[Role]string{
				Authorize: "self/realms/main/protocol/openid-connect/auth", Token: "self/realms/main/protocol/openid-connect/token", Keys: "self/realms/main/protocol/openid-connect/certs",
				Userinfo: "self/realms/main/protocol/openid-connect/userinfo", Discovery: "self/realms/main/.well-known/openid-configuration",
			},
			claims: Person.standard, user: func(p Person) any { return p.standard() },
		},
		{
			name: "linkedin", scope: "openid",
			at: map[Role]string{Authorize: "www.linkedin.com/oauth/v2/authorization", Token: "www.linkedin.com/oauth/v2/accessToken", Userinfo: "api.linkedin.com/v2/userinfo"},
			user: func(p Person) any {
				return map[string]any{"sub": p.ID, "given_name": p.given(), "family_name": p.family(), "email": p.email(), "email_verified": p.Verified, "picture": p.Avatar}
			},
		},
		{
			name: "notion", basic: true, query: map[string]string{"owner": "user"}, header: map[string]string{"Notion-Version": "2022-06-28"},
			at: map[Role]string{Authorize: "api.notion.com/v1/oauth/authorize", Token: "api.notion.com/v1/oauth/token", Userinfo: "api.notion.com/v1/users/me"},
			user: func(p Person) any {
				return p.decoys(map[string]any{"object": "user", "id": "the-bot", "type": "bot", "bot": map[string]any{"owner": map[string]any{"type": "user", "user": p.decoys(map[string]any{
					"id": p.ID, "name": p.Name, "avatar_url": p.Avatar, "person": p.decoys(map[string]any{"email": p.email()}),
				})}}})
			},
		},
		{
			name: "slack", issuer: "https://slack.com", scope: "openid",
			at:     map[Role]string{Authorize: "slack.com/openid/connect/authorize", Token: "slack.com/api/openid.connect.token", Userinfo: "slack.com/api/openid.connect.userInfo", Keys: "slack.com/openid/connect/keys"},
			user:   func(p Person) any { m := p.standard(); m["ok"] = true; return m },
			claims: Person.standard,
		},
		{
			name: "snapchat", pkce: true, scope: "https://auth.snapchat.com/oauth2/api/user.external_id",
			at: map[Role]string{Authorize: "accounts.snapchat.com/accounts/oauth2/auth", Token: "accounts.snapchat.com/accounts/oauth2/token", Userinfo: "kit.snapchat.com/v1/me"},
			user: func(p Person) any {
				return map[string]any{"data": map[string]any{"me": map[string]any{"externalId": p.ID, "displayName": p.Name, "bitmoji": map[string]any{"avatar": p.Avatar}}}, "errors": []any{}}
			},
		},
		{
			name: "spotify", basic: true, pkce: true, scope: "user-read-email",
			at: map[Role]string{Authorize: "accounts.spotify.com/authorize", Token: "accounts.spotify.com/api/token", Userinfo: "api.spotify.com/v1/me"},
			user: func(p Person) any {
				return p.decoys(map[string]any{"id": p.ID, "display_name": p.Name, "email": p.email(), "images": []any{map[string]any{"url": p.Avatar}}})
			},
		},
		{
			name: "strava", comma: true, scope: "profile:read_all", query: map[string]string{"approval_prompt": "force"},
			at: map[Role]string{Authorize: "www.strava.com/oauth/authorize", Token: "www.strava.com/api/v3/oauth/token", Userinfo: "www.strava.com/api/v3/athlete"},
			user: func(p Person) any {
				return map[string]any{"id": p.ID, "firstname": p.given(), "lastname": p.family(), "profile": p.Avatar}
			},
		},
		{
			name: "twitch", scope: "user:read:email", scopeSet: true, header: map[string]string{"Client-Id": ClientID("twitch")},
			at: map[Role]string{Authorize: "id.twitch.tv/oauth2/authorize", Token: "id.twitch.tv/oauth2/token", Userinfo: "api.twitch.tv/helix/users"},
			user: func(p Person) any {
				return map[string]any{"data": []any{p.decoys(map[string]any{"id": p.ID, "login": p.given(), "display_name": p.Name, "email": p.email(), "profile_image_url": p.Avatar})}}
			},
		},
		{
			name: "twitter",
			at:   map[Role]string{Temporary: "api.twitter.com/oauth/request_token", Authorize: "api.twitter.com/oauth/authorize", Token: "api.twitter.com/oauth/access_token", Userinfo: "api.twitter.com/1.1/account/verify_credentials.json"},
			user: func(p Person) any {
				return p.decoys(map[string]any{"id_str": p.ID, "screen_name": p.given(), "name": p.Name, "email": p.email(), "profile_image_url_https": p.Avatar})
			},
		},
		{
			name: "windowslive", scope: "wl.emails",
			at: map[Role]string{Authorize: "login.live.com/oauth20_authorize.srf", Token: "login.live.com/oauth20_token.srf", Userinfo: "apis.live.net/v5.0/me"},
			user: func(p Person) any {
				return p.decoys(map[string]any{"id": p.ID, "name": p.Name, "emails": p.decoys(map[string]any{"preferred": p.email(), "account": p.email()})})
			},
		},
		{
			name: "workos", query: map[string]string{"organization": "org_1"},
			at: map[Role]string{Authorize: "api.workos.com/sso/authorize", Token: "api.workos.com/sso/token", Userinfo: "api.workos.com/sso/profile"},
			user: func(p Person) any {
				return p.decoys(map[string]any{"object": "profile", "id": p.ID, "email": p.email(), "first_name": p.given(), "last_name": p.family(), "raw_attributes": p.decoys(map[string]any{})})
			},
		},
		{
			name: "x", basic: true, pkce: true, scope: "users.email",
			at: map[Role]string{Authorize: "x.com/i/oauth2/authorize", Token: "api.x.com/2/oauth2/token", Userinfo: "api.x.com/2/users/me"},
			user: func(p Person) any {
				return map[string]any{"data": p.decoys(map[string]any{"id": p.ID, "name": p.Name, "username": p.given(), "confirmed_email": p.email(), "profile_image_url": p.Avatar})}
			},
		},
		{
			name: "zoom", basic: true, pkce: true,
			at: map[Role]string{Authorize: "zoom.us/oauth/authorize", Token: "zoom.us/oauth/token", Userinfo: "api.zoom.us/v2/users/me"},
			user: func(p Person) any {
				return p.decoys(map[string]any{"id": p.ID, "first_name": p.given(), "last_name": p.family(), "email": p.email(), "pic_url": p.Avatar})
			},
		},
	}
}

// others puts addresses before and after a person's own that must not be taken for it: one that is
// verified and not the primary one, and one that is neither.
func others(p Person, own map[string]any, primary, verified string) []any {
	list := []any{map[string]any{"email": "second@example.com", primary: false, verified: true}}
	if p.Email != "" {
		list = append(list, own)
	}
	return append(list, map[string]any{"email": "third@example.com", primary: false, verified: false})
}

// furnish puts every provider in its places.
func (s *Server) furnish() {
	s.shapes, s.places = map[string]*shape{}, map[string]place{}
	for _, sh := range s.table() {
		s.shapes[sh.name] = sh
		for role, at := range sh.at {
			if first, taken := s.places[at]; taken && strings.HasPrefix(at, "login.microsoftonline.com") && first.shape.issuer == sh.issuer {
				continue // azure and entraid are one
			}
			s.places[at] = place{sh, role}
		}
	}
	github := s.shapes["github"]
	for role, path := range map[Role]string{Authorize: "/login/oauth/authorize", Token: "/login/oauth/access_token", Userinfo: "/user", Emails: "/user/emails"} {
		s.places["self/github"+path] = place{github, role}
	}
}

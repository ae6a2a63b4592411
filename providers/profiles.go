package providers

import "strings"

// The functions here read what each provider answers. An address counts as verified where the
// provider says so with the boolean true, about this very address; never because there is one.

func appleProfile(a answers) Profile {
	// Apple documents its claim as "a string or Boolean", and that of its own id token, whose
	// signature was checked. No other provider's strings count.
	verified := a.claims.yes("email_verified") || a.claims.at("email_verified") == "true"
	return Profile{ID: a.claims.id("sub"), Email: a.claims.text("email"), EmailVerified: verified, Name: names(a.user.object("name"), "firstName", "lastName")}
}

func azureProfile(a answers) Profile {
	return Profile{
		ID: a.claims.id("sub"), Email: a.claims.text("email"), EmailVerified: microsoftVerified(a, a.claims.text("email")),
		Name: a.claims.text("name"),
	}
}

func azureADProfile(a answers) Profile {
	id := a.user.id("oid")
	if id == "" {
		id = a.claims.id("oid")
	}
	email := first(a.user.text("email"), a.claims.text("email"))
	return Profile{ID: id, Email: email, EmailVerified: microsoftVerified(a, email), Name: first(a.user.text("name"), a.claims.text("name"))}
}

func entraProfile(a answers) Profile {
	from := a.user
	if from == nil { // an id token alone
		from = a.claims
	}
	email := from.text("email")
	return Profile{
		ID: from.id("sub"), Email: email, EmailVerified: microsoftVerified(a, email),
		Name: first(names(from, "givenname", "familyname"), names(from, "given_name", "family_name"), from.text("name")),
	}
}

// microsoftVerified is true when the id token says that the domain's owner stands behind the very
// address. Without that claim a tenant's administrator can write any address into any account.
func microsoftVerified(a answers, email string) bool {
	return a.claims.yes("xms_edov") && email != "" && strings.EqualFold(a.claims.text("email"), email)
}

func bitbucketProfile(a answers) Profile {
	p := Profile{ID: a.user.id("uuid"), Name: a.user.text("display_name"), AvatarURL: a.user.text("links", "avatar", "href")}
	list, _ := a.emails.(map[string]any)
	p.Email, p.EmailVerified = primary(objects(list["values"]), "is_primary", "is_confirmed")
	return p
}

func discordProfile(a answers) Profile {
	p := Profile{ID: a.user.id("id"), Email: a.user.text("email"), EmailVerified: a.user.yes("verified")}
	p.Name = a.user.text("username")
	if d := a.user.text("discriminator"); d != "" && d != "0" {
		p.Name += "#" + d
	}
	if hash := a.user.text("avatar"); hash != "" {
		ending := ".png"
		if strings.HasPrefix(hash, "a_") {
			ending = ".gif"
		}
		p.AvatarURL = "https://cdn.discordapp.com/avatars/" + p.ID + "/" + hash + ending
	}
	return p
}

func facebookProfile(a answers) Profile {
	return Profile{ID: a.user.id("id"), Email: a.user.text("email"), Name: a.user.text("name"), AvatarURL: a.user.text("picture", "data", "url")}
}

func figmaProfile(a answers) Profile {
	return Profile{ID: a.user.id("id"), Email: a.user.text("email"), Name: a.user.text("handle"), AvatarURL: a.user.text("img_url")}
}

func flyProfile(a answers) Profile {
	return Profile{ID: first(a.user.id("user_id"), a.user.id("resource_owner_id")), Email: a.user.text("email"), Name: a.user.text("user_name")}
}

func githubProfile(a answers) Profile {
	p := Profile{ID: a.user.id("id"), Name: first(a.user.text("name"), a.user.text("login")), AvatarURL: a.user.text("avatar_url")}
	p.Email, p.EmailVerified = primary(objects(a.emails), "primary", "verified")
	if a.emails == nil {
		p.Email = a.user.text("email") // shown in public, and says nothing
	}
	return p
}

func gitlabProfile(a answers) Profile {
	return Profile{ID: a.user.id("id"), Email: a.user.text("email"), Name: first(a.user.text("name"), a.user.text("username")), AvatarURL: a.user.text("avatar_url")}
}

func googleProfile(a answers) Profile {
	if a.user == nil { // an id token alone
		return oidcProfile(a)
	}
	return Profile{
		ID: a.user.id("id"), Email: a.user.text("email"), EmailVerified: a.user.yes("verified_email"),
		Name: a.user.text("name"), AvatarURL: a.user.text("picture"),
	}
}

func kakaoProfile(a answers) Profile {
	account := a.user.object("kakao_account")
	return Profile{
		ID: a.user.id("id"), Email: account.text("email"), EmailVerified: account.yes("is_email_valid") && account.yes("is_email_verified"),
		Name:      first(account.text("profile", "nickname"), a.user.text("properties", "nickname")),
		AvatarURL: account.text("profile", "profile_image_url"),
	}
}

func notionProfile(a answers) Profile {
	user := a.user.object("bot", "owner", "user")
	return Profile{ID: user.id("id"), Email: user.text("person", "email"), Name: user.text("name"), AvatarURL: user.text("avatar_url")}
}

// oidcProfile reads the standard claims. What the id token leaves out may be in the userinfo, whose
// subject was found to be the same.
func oidcProfile(a answers) Profile {
	p := claimsOf(a.claims)
	more := claimsOf(a.user)
	if p.Email == "" {
		p.Email, p.EmailVerified = more.Email, more.EmailVerified
	}
	p.Name, p.AvatarURL = first(p.Name, more.Name), first(p.AvatarURL, more.AvatarURL)
	return p
}

func claimsOfUserinfo(a answers) Profile { return claimsOf(a.user) }

func claimsOf(o object) Profile {
	return Profile{
		ID: o.id("sub"), Email: o.text("email"), EmailVerified: o.yes("email_verified"),
		Name:      first(o.text("name"), names(o, "given_name", "family_name"), o.text("preferred_username")),
		AvatarURL: o.text("picture"),
	}
}

func slackProfile(a answers) Profile {
	from := a.user
	if from == nil {
		from = a.claims
	}
	return claimsOf(from)
}

func snapchatProfile(a answers) Profile {
	me := a.user.object("data", "me")
	return Profile{ID: me.id("externalId"), Name: me.text("displayName"), AvatarURL: me.text("bitmoji", "avatar")}
}

func spotifyProfile(a answers) Profile {
	p := Profile{ID: a.user.id("id"), Email: a.user.text("email"), Name: a.user.text("display_name")}
	if images := objects(a.user["images"]); len(images) > 0 {
		p.AvatarURL = images[0].text("url")
	}
	return p
}

func stravaProfile(a answers) Profile {
	return Profile{ID: a.user.id("id"), Name: names(a.user, "firstname", "lastname"), AvatarURL: a.user.text("profile")}
}

func twitchProfile(a answers) Profile {
	users := objects(a.user["data"])
	if len(users) != 1 {
		return Profile{}
	}
	u := users[0]
	return Profile{ID: u.id("id"), Email: u.text("email"), Name: first(u.text("display_name"), u.text("login")), AvatarURL: u.text("profile_image_url")}
}

func twitterProfile(a answers) Profile {
	return Profile{ID: a.user.id("id_str"), Email: a.user.text("email"), Name: first(a.user.text("name"), a.user.text("screen_name")), AvatarURL: a.user.text("profile_image_url_https")}
}

func windowsLiveProfile(a answers) Profile {
	return Profile{
		ID: a.user.id("id"), Email: first(a.user.text("emails", "preferred"), a.user.text("emails", "account")),
		Name: first(a.user.text("name"), names(a.user, "first_name", "last_name")),
	}
}

func workosProfile(a answers) Profile {
	return Profile{ID: a.user.id("id"), Email: a.user.text("email"), Name: names(a.user, "first_name", "last_name")}
}

func xProfile(a answers) Profile {
	u := a.user.object("data")
	return Profile{ID: u.id("id"), Email: u.text("confirmed_email"), Name: first(u.text("name"), u.text("username")), AvatarURL: u.text("profile_image_url")}
}

func zoomProfile(a answers) Profile {
	return Profile{ID: a.user.id("id"), Email: a.user.text("email"), Name: first(names(a.user, "first_name", "last_name"), a.user.text("display_name")), AvatarURL: a.user.text("pic_url")}
}

// primary picks the primary address of a list, and whether it is verified. When none is marked, the
// first verified one stands in.
func primary(list []object, isPrimary, isVerified string) (email string, verified bool) {
	for _, e := range list {
		if e.yes(isPrimary) {
			return e.text("email"), e.yes(isVerified)
		}
	}
	for _, e := range list {
		if e.yes(isVerified) {
			return e.text("email"), true
		}
	}
	return "", false
}

// first is the first text that is not empty.
func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// names joins a given name and a family name.
func names(o object, given, family string) string {
	return strings.TrimSpace(o.text(given) + " " + o.text(family))
}

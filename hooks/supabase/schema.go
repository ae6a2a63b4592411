package supabase

import (
	"encoding/json"
	"slices"
)

// schema is a JSON Schema, or a part of one.
type schema map[string]any

// Schema gives the JSON Schema (2020-12) of what the receiver of a hook is told; nil when there is no
// such hook. Members may be added in later versions, so it forbids none.
func Schema(name string) []byte {
	r, known := rowOf(name)
	if !known {
		return nil
	}
	s := object(payloadMembers(name), optional[name]...)
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "Payload of the hook " + name
	members, _ := s["properties"].(map[string]schema)
	members["metadata"] = metadataSchema(r)
	s["required"] = append([]string{"metadata"}, s["required"].([]string)...)
	return indented(s)
}

// Sample gives an example of what the receiver of a hook is told; nil when there is no such hook.
func Sample(name string) []byte {
	r, known := rowOf(name)
	if !known {
		return nil
	}
	return indented(samplePayload(r))
}

func indented(v any) []byte {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil // nothing here can fail to be JSON
	}
	return append(text, '\n')
}

// optional are the members of payloads that may be absent.
var optional = map[string][]string{PasswordUnknown: {"user_id"}}

// payloadMembers are those beside metadata.
func payloadMembers(name string) map[string]schema {
	switch name {
	case CustomAccessToken:
		return map[string]schema{"user_id": uuid(), "claims": claimsSchema(), "authentication_method": text("how the person proved who they are just now, as in amr, or token_refresh")}
	case BeforeUserCreated, UserInserted, AfterUserCreated:
		return map[string]schema{"user": userSchema()}
	case PasswordVerification:
		return map[string]schema{"user_id": uuid(), "valid": {"type": "boolean", "description": "whether the password was right"}}
	case MFAVerification:
		return map[string]schema{"user_id": uuid(), "factor_id": uuid(), "factor_type": text("totp, phone or recovery-code"), "valid": {"type": "boolean", "description": "whether the code was right"}}
	case PasswordUnknown:
		return map[string]schema{"email": text("in lower case"), "password": text("as it was typed"), "user_id": uuid()}
	case SendSMS:
		return map[string]schema{"user": userSchema(), "sms": object(map[string]schema{
			"otp": text("the code"), "phone": text("without the plus"), "sms_type": text("mfa, or absent"),
		}, "sms_type")}
	case SendEmail:
		return map[string]schema{"user": userSchema(), "email_data": mailSchema()}
	}
	return nil
}

// object is the schema of an object; all members are required but those named.
func object(members map[string]schema, optional ...string) schema {
	var required []string
	for name := range members {
		if !slices.Contains(optional, name) {
			required = append(required, name)
		}
	}
	slices.Sort(required)
	return schema{"type": "object", "properties": members, "required": required}
}

func text(doc string) schema {
	s := schema{"type": "string"}
	if doc != "" {
		s["description"] = doc
	}
	return s
}

func uuid() schema { return schema{"type": "string", "format": "uuid"} }

func moments(doc string) schema {
	return schema{"type": "string", "format": "date-time", "description": doc}
}

func free(doc string) schema { return schema{"type": "object", "description": doc} }

func metadataSchema(r row) schema {
	return object(map[string]schema{
		"uuid": {"type": "string", "format": "uuid", "description": "the same over retries"}, "time": moments("when it happened"),
		"name": {"type": "string", "enum": []string{r.metadata}}, "ip_address": text("of the client; absent when it is not known"),
	}, "ip_address")
}

func userSchema() schema {
	return object(map[string]schema{
		"id": uuid(), "aud": text(""), "role": text("empty before the user is stored"),
		"email": text("empty when there is none"), "email_confirmed_at": moments("absent while it is not confirmed"),
		"phone": text("without the plus; empty when there is none"), "phone_confirmed_at": moments("absent while it is not confirmed"),
		"confirmed_at": moments("absent while nothing is confirmed"), "new_email": text("an address that waits to be confirmed"),
		"last_sign_in_at": moments("absent before the first time"), "banned_until": moments("absent unless the user is disabled"),
		"app_metadata":  free("provider and providers, where they are known"),
		"user_metadata": free("what the application stored; besides name, avatar_url and locale"),
		"identities":    {"type": "array", "description": "always empty"},
		"created_at":    moments(""), "updated_at": moments(""), "is_anonymous": {"type": "boolean"},
	}, "email_confirmed_at", "phone_confirmed_at", "confirmed_at", "new_email", "last_sign_in_at", "banned_until")
}

// claimsSchema is the schema of claims by the rules that answers are held to.
func claimsSchema() schema {
	members := map[string]schema{}
	var optional []string
	for _, r := range rules {
		s := schema{}
		switch {
		case len(r.types) == 1:
			s["type"] = r.types[0]
		case r.types != nil:
			s["type"] = r.types
		}
		if r.items != nil {
			items := schema{"type": r.items}
			if len(r.items) == 1 {
				items["type"] = r.items[0]
			}
			s["items"] = items
		}
		members[r.name] = s
		if !r.required {
			optional = append(optional, r.name)
		}
	}
	return object(members, optional...)
}

func mailSchema() schema {
	return object(map[string]schema{
		"token": text("the code"), "token_hash": text("what the link carries"), "redirect_to": text(""), "email_action_type": text(""),
		"site_url":  text("where links begin: <site_url>/verify?token=<token_hash>&type=<email_action_type>&redirect_to=<redirect_to>"),
		"token_new": text(""), "token_hash_new": text(""), "old_email": text(""), "old_phone": text(""), "provider": text(""), "factor_type": text(""),
	})
}

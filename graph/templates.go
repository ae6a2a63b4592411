package graph

import (
	"cmp"
	"context"

	"postern/emails"
	"postern/flow"
	"postern/graph/wire"
)

// EmailTemplates lists the templates.
func (q *query) EmailTemplates(ctx context.Context) ([]*wire.EmailTemplate, error) {
	all, err := q.Service.Templates(ctx, operator(ctx))
	list := make([]*wire.EmailTemplate, len(all))
	for i, t := range all {
		list[i] = emailTemplate(t)
	}
	return list, err
}

// EmailTemplate finds a template.
func (q *query) EmailTemplate(ctx context.Context, name, locale string) (*wire.EmailTemplate, error) {
	t, found, err := q.Service.Template(ctx, name, locale, operator(ctx))
	if err != nil || !found {
		return nil, err
	}
	return emailTemplate(t), nil
}

func emailTemplate(t emails.Listed) *wire.EmailTemplate {
	out := &wire.EmailTemplate{
		Name: t.Name, Locale: t.Locale, Source: wire.TemplateSourceDefault, IsText: t.Text, Subject: t.Subject, HTML: t.HTML, Text: t.Body, Problems: t.Problems,
	}
	if t.Custom {
		out.Source = wire.TemplateSourceCustom
	}
	if out.Problems == nil {
		out.Problems = []string{}
	}
	return out
}

// RenderEmailTemplate fills a template.
func (q *query) RenderEmailTemplate(ctx context.Context, in wire.RenderEmailTemplateInput) (*wire.RenderedEmail, error) {
	variables, err := texts("variables", in.Variables)
	if err != nil {
		return nil, err
	}
	r, err := q.Service.Render(ctx, flow.TemplateFill{Name: in.Name, Locale: given(in.Locale), Variables: variables}, operator(ctx))
	return rendered(r), under("input", err)
}

// SendTestEmail sends one mail.
func (m *mutation) SendTestEmail(ctx context.Context, in wire.SendTestEmailInput) (*wire.SendTestEmailPayload, error) {
	variables, err := texts("variables", in.Variables)
	if err != nil {
		return nil, err
	}
	t := flow.TemplateFill{Name: cmp.Or(given(in.Name), emails.EmailVerify), Locale: given(in.Locale), Variables: variables}
	s, err := m.Service.SendTestMail(ctx, t, in.To, operator(ctx))
	return &wire.SendTestEmailPayload{Sent: s.Sent, Problem: nullable(s.Problem), Rendered: rendered(s.Rendered), Milliseconds: milliseconds(s.Took)}, under("input", err)
}

// SendTestSms sends one text message.
func (m *mutation) SendTestSms(ctx context.Context, in wire.SendTestSmsInput) (*wire.SendTestSmsPayload, error) {
	s, err := m.Service.SendTestText(ctx, given(in.Locale), in.To, operator(ctx))
	return &wire.SendTestSmsPayload{Sent: s.Sent, Problem: nullable(s.Problem), Text: s.Rendered.Text, Milliseconds: milliseconds(s.Took)}, under("input", err)
}

func rendered(r emails.Rendered) *wire.RenderedEmail {
	source := map[string]wire.TemplateSource{"directory": wire.TemplateSourceCustom, "remote": wire.TemplateSourceRemote}[r.Source]
	out := &wire.RenderedEmail{
		Locale: r.Locale, Source: cmp.Or(source, wire.TemplateSourceDefault), Subject: r.Subject, HTML: r.HTML, Text: r.Text, Warnings: []string{},
	}
	for _, w := range r.Warnings {
		out.Warnings = append(out.Warnings, w.Error())
	}
	return out
}

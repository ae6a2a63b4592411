// Package graph is the GraphQL API for operators: the door for consoles, for scripts, and for Hasura's
// engine, which may take it as a remote schema. Package wire has the schema; a resolver here decodes, calls
// one flow and encodes. Who may do what, the flows know.
package graph

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2/ast"

	"postern/auth"
	"postern/flow"
	"postern/graph/wire"
	"postern/server"
	"postern/tokens"
)

// Path is where the API is.
const Path = "/graphql"

// Door is the API over the flows.
type Door struct {
	Front    *server.Front
	Admin    *flow.Admin
	Scripts  *flow.Scripts
	Machines *flow.Machines
	OAuth    *flow.OAuthClients
	Service  *flow.Service
	Signer   *tokens.Signer
	Secret   server.AdminSecret
	Log      *slog.Logger

	executor *executor.Executor
	schema   *ast.Schema
	turns    chan struct{} // one is in it for each field that looks something up
}

// timeout is how long one request may take, all of its fields together.
const timeout = 5 * time.Second

// Handler gives the door's handler.
func (d *Door) Handler() http.Handler {
	es := wire.NewExecutableSchema(wire.Config{Resolvers: &root{d}})
	d.schema = es.Schema()
	d.executor = executor.New(es)
	d.executor.SetParserTokenLimit(maxTokens)
	d.executor.SetErrorPresenter(d.present)
	d.executor.SetRecoverFunc(d.recovered)
	d.turns = make(chan struct{}, maxTurns)
	d.executor.AroundFields(d.inTurn)
	return d.Front.Wrap(d.Front.Limited(d.answer))
}

// answer answers one request. Strangers are refused before anything is read of what they send.
func (d *Door) answer(w http.ResponseWriter, r *http.Request) error {
	if r.URL.Path != Path {
		return auth.NotFound
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return errMethod
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	by, err := d.operator(ctx, w, r)
	if err != nil {
		return err
	}
	if err := d.Secret.TakeTurn(by); err != nil {
		return err
	}
	params, err := readParams(r)
	if err != nil {
		return err
	}
	response, err := d.execute(context.WithValue(ctx, askingKey{}, asking{by, w.Header().Get("X-Request-Id")}), params)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	return json.NewEncoder(w).Encode(response)
}

// execute runs one operation.
func (d *Door) execute(ctx context.Context, params *graphql.RawParams) (*graphql.Response, error) {
	ctx = graphql.StartOperationTrace(ctx)
	if err := bounded(params.Query); err != nil {
		return nil, err
	}
	op, errs := d.executor.CreateOperationContext(ctx, params)
	if errs != nil {
		return d.executor.DispatchError(graphql.WithOperationContext(ctx, op), errs), nil
	}
	if err := literal(d.schema, op.Doc); err != nil {
		return nil, err
	}
	if err := affordable(op); err != nil {
		return nil, err
	}
	op.DisableIntrospection = false // nobody but an operator is here
	respond, ctx := d.executor.DispatchOperation(ctx, op)
	response := respond(ctx)
	if response == nil {
		return nil, ctx.Err()
	}
	return response, nil
}

// operator finds out who asks.
func (d *Door) operator(ctx context.Context, w http.ResponseWriter, r *http.Request) (flow.Operator, error) {
	by := flow.Operator{Client: server.Client(w)}
	claim, err := d.claim(r, by.Client)
	if err != nil {
		return by, err
	}
	by.Actor, err = d.Admin.Operator(ctx, claim)
	return by, err
}

// claim is what the request shows of who sends it.
func (d *Door) claim(r *http.Request, c auth.Client) (flow.OperatorClaim, error) {
	if claim, shown, err := d.Secret.Claim(r, c); shown || err != nil {
		return claim, err
	}
	token, err := server.Bearer(r.Header.Values("Authorization"))
	if err != nil {
		return flow.OperatorClaim{}, err
	}
	said, err := d.Signer.Verify(token, d.Front.Now())
	if err != nil {
		return flow.OperatorClaim{}, err
	}
	actor := said.Actor()
	return flow.OperatorClaim{Bearer: &actor, Roles: said.Roles}, nil
}

// asking is what resolvers know of a request: gqlgen hands them a context alone. Flows take the operator
// as a parameter.
type asking struct {
	by flow.Operator
	id string // of the request, in the log
}

type askingKey struct{}

func asked(ctx context.Context) asking {
	a, _ := ctx.Value(askingKey{}).(asking)
	return a
}

// operator is who asks. Where nobody is known, it has no rights.
func operator(ctx context.Context) flow.Operator { return asked(ctx).by }

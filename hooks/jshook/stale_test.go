package jshook

import (
	"bufio"
	"encoding/json"
	"io"
	"testing"
	"time"
)

// TestAnswersThatComeTooLate gives a worker what one call fetched when that call is over. The next call, of
// another script, must not take it for what it fetched itself.
func TestAnswersThatComeTooLate(t *testing.T) {
	t.Parallel()
	lib, err := newLibrary()
	if err != nil {
		t.Fatal(err)
	}
	orders, in := io.Pipe() // stays open: a worker ends the program when its parent is gone
	out, reports := io.Pipe()
	w := &worker{lib: lib, memory: 64 << 20, out: bufio.NewWriter(reports), jobs: make(chan *job), answers: make(chan *fetched, maxFetching)}
	go w.listen(orders)
	go func() { _ = w.serve() }()
	r := bufio.NewReader(out)
	send := func(o order) {
		t.Helper()
		if err := writeFrame(in, o); err != nil {
			t.Fatal(err)
		}
	}
	heard := func() (said report) {
		t.Helper()
		if err := readFrame(r, maxReport, &said); err != nil {
			t.Fatal(err)
		}
		return said
	}
	send(order{Job: &job{
		Key: "first", Args: []json.RawMessage{[]byte("null")}, BudgetNS: int64(time.Minute),
		Script: &program{Source: "module.exports = () => { fetch('http://a.example/'); return 1 }"},
	}})
	if heard().Fetch == nil || heard().Done == nil {
		t.Fatal("the first call asks for nothing, or does not end")
	}
	for range 2 * maxFetching { // more than the worker has room for
		send(order{Fetched: &fetched{ID: 1, Status: 200, Body: []byte("theirs")}})
	}
	send(order{Job: &job{
		Key: "second", Args: []json.RawMessage{[]byte("null")}, BudgetNS: int64(time.Minute),
		Script: &program{Source: "module.exports = async () => (await fetch('http://b.example/')).text()"},
	}})
	asked := heard().Fetch
	if asked == nil {
		t.Fatal("the second call asks for nothing")
	}
	send(order{Fetched: &fetched{ID: asked.ID, Status: 200, Body: []byte("ours")}})
	if done := heard().Done; done == nil || done.Body != `"ours"` {
		t.Errorf("the second call got %+v", done)
	}
}

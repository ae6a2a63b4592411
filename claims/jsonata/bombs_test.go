package jsonata_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"postern/claims/jsonata"
)

// bombs are expressions that take all time or memory there is, each with what stops it: "text" when it
// is refused before it runs, "limit" when it goes over one, "error" when it fails for another reason,
// and "harmless" when it ends by itself.
func bombs() [][3]string {
	again := func(n int, s string) string { return strings.Repeat(s, n) }
	big := `$s := $reduce([1..16], function($a, $b){$a & $a}, "0123456789"); ` // 640 KB
	return [][3]string{
		{"endless recursion", "limit", `($f := function(){$f() + 1}; $f())`},
		{"endless tail recursion", "limit", `($f := function(){$f()}; $f())`},
		{"endless recursion with growth", "limit", `($f := function($x){$f($x & $x)}; $f("ab"))`},
		{"endless list", "limit", `($f := function($x){$f($append($x, $x))}; $f([1]))`},
		{"mutual recursion", "limit", `($f := function($x){$g($x) + 1}; $g := function($x){$f($x) + 1}; $f(1))`},
		{"mutual tail recursion", "limit", `($f := function($x){$g($x)}; $g := function($x){$f($x)}; $f(1))`},
		{"recursion in a callback", "limit", `($f := function($x){$map([1..10], $f)}; $f(1))`},
		{"recursion in a comparator", "limit", `($f := function($x, $y){$sort([3,2,1], $f)}; $f(1, 2))`},
		{"recursion in a filter", "limit", `($f := function($x){[1..10][$f($)]}; $f(1))`},
		{"recursion in a group", "limit", `($f := function($x){{"a": $f($x)}}; $f(1))`},
		{"recursion in a path", "limit", `($f := function($x){[1..10].$f($)}; $f(1))`},
		{"Y combinator", "limit", `(function($f){$f($f)})(function($f){$f($f)})`},
		{"Ackermann", "limit", `($a := function($m, $n){$m = 0 ? $n + 1 : $n = 0 ? $a($m - 1, 1) : $a($m - 1, $a($m, $n - 1))}; $a(4, 2))`},
		{"Fibonacci", "limit", `($f := function($n){$n < 2 ? $n : $f($n - 1) + $f($n - 2)}; $f(60))`},
		{"recursion by $eval", "error", `($x := "$eval($x)"; $eval($x))`},
		{"endless partial application", "limit", `($f := function($x, $y){$f(?, $y)($x)}; $f(1, 2))`},

		{"a range of 10^9", "limit", `[1..1000000000]`},
		{"a range of 10^7", "limit", `[1..10000000]`},
		{"a range of 10^300", "limit", `[1..1e300]`},
		{"a range below zero", "limit", `[-5000000..5000000]`},
		{"a computed range", "limit", `[0..$power(10, 9)]`},
		{"many ranges", "limit", `[` + again(400, `1..10000,`) + `1]`},
		{"ranges in ranges", "limit", `[1..10000].[1..10000]`},
		{"ranges in ranges in ranges", "limit", `[1..1000].([1..1000].([1..1000].($)))`},
		{"a sum of ranges", "limit", `$sum([1..9999].([1..9999]))`},
		{"a filter by a range", "limit", `[1..10000][[0..9999] in [1..10000]]`},
		{"positions by a range", "limit", `($a := [1..10000]; $a.($a[[0..9999]]))`},

		{"text doubled in $reduce", "limit", `$reduce([1..100], function($a, $b){$a & $a}, "x")`},
		{"text doubled in a row", "limit", `($a := "0123456789"; ` + again(60, `$a := $a & $a; `) + `$a)`},
		{"text doubled by $join", "limit", `$reduce([1..100], function($a, $b){$join([$a, $a])}, "x")`},
		{"text doubled by $replace", "limit", `$reduce([1..100], function($a, $b){$replace($a, "x", "xx")}, "x")`},
		{"text doubled by a pattern", "limit", `$reduce([1..100], function($a, $b){$replace($a, /x/, "$0$0")}, "x")`},
		{"text doubled by a function", "limit", `$reduce([1..100], function($a, $b){$replace($a, /x/, function($m){"xx"})}, "x")`},
		{"a text replaced by itself", "limit", `(` + big + `$replace($s, "0", $s))`},
		{"a text joined by itself", "limit", `(` + big + `$join($map([1..3000], function($v){"x"}), $s))`},
		{"a text padded", "error", `$pad("x", 1000000000)`},
		{"a text padded again and again", "limit", `$reduce([1..1000], function($a, $b){$a & $pad("x", 9999)}, "")`},
		{"a text in capitals again and again", "limit", `(` + big + `$map([1..10000], function($v){$uppercase($s)}))`},
		{"a text cut into signs", "limit", `(` + big + `$split($s, ""))`},
		{"a text encoded again and again", "limit", `$reduce([1..9000], function($a, $b){$encodeUrlComponent($a & "%%%")}, "%")`},
		{"base64 of base64", "limit", `$reduce([1..100], function($a, $b){$base64encode($a)}, "0123456789")`},
		{"a list written out", "limit", `($a := [1..10000]; $string($a.($a)))`},
		{"$string of $string", "limit", `$reduce([1..40], function($a, $b){$string([$a, $a])}, "\"")`},

		{"lists doubled in a row", "limit", `($a := [1..100]; ` + again(60, `$a := [$a, $a]; `) + `$count($a))`},
		{"lists doubled in $reduce", "limit", `$count($reduce([1..100], function($a, $b){$append($a, $a)}, [1]))`},
		{"lists within lists", "limit", `($a := [1]; ` + again(40, `$a := [[$a], [$a]]; `) + `$a = $a)`},
		{"objects doubled, then written", "limit", `($a := {"x": 1}; ` + again(40, `$a := {"l": $a, "r": $a}; `) + `$string($a))`},
		{"objects doubled, then joined to a text", "limit", `($a := {"x": 1}; ` + again(40, `$a := {"l": $a, "r": $a}; `) + `"" & $a)`},
		{"objects doubled, then compared", "limit", `($a := {"x": 1}; ` + again(40, `$a := {"l": $a, "r": $a}; `) + `$a = $a)`},
		{"objects doubled, then sought", "limit", `($a := {"x": 1}; ` + again(40, `$a := {"l": $a, "r": $a}; `) + `$a in [$a])`},
		{"objects doubled, then told apart", "limit", `($a := {"x": 1}; ` + again(40, `$a := {"l": $a, "r": $a}; `) + `$distinct([$a, $a]))`},
		{"objects doubled, then searched", "limit", `($a := {"x": 1}; ` + again(40, `$a := {"l": $a, "r": $a}; `) + `$count($a.**))`},
		{"objects doubled, then changed", "limit", `($a := {"x": 1}; ` + again(40, `$a := {"l": $a, "r": $a}; `) + `$a ~> |l|{"y": 1}|)`},
		{"objects doubled, then given", "limit", `($a := {"x": 1}; ` + again(40, `$a := {"l": $a, "r": $a}; `) + `$a)`},
		{"objects merged and doubled", "limit", `($a := {"x": 1}; ` + again(40, `$a := $merge([{"l": $a}, {"r": $a}]); `) + `$string($a))`},
		{"objects a thousand deep", "limit", `$reduce([1..1000], function($a, $b){{"x": $a}}, 1)`},
		{"objects ten thousand deep, written", "limit", `$string($reduce([1..10000], function($a, $b){{"x": $a}}, 1))`},
		{"lists ten thousand deep", "limit", `$reduce([1..10000], function($a, $b){[[$a]]}, 1)`},
		{"a group by everything", "limit", `[1..10000].([1..100]){$string($): $}`},
		{"cross product by $map", "limit", `$map([1..10000], function($x){$map([1..10000], function($y){$x * $y})})`},
		{"cross product by $reduce", "limit", `$reduce([1..10000], function($a, $x){$reduce([1..10000], function($b, $y){$b + $y}, $a)}, 0)`},
		{"cross product by $filter", "limit", `$filter([1..10000], function($x){$count([1..10000][$ > $x]) > 0})`},
		{"cross product by $zip", "limit", `$reduce([1..10000], function($a, $b){$zip($a, [1..10000])}, [1..10000])`},
		{"cross product by $each", "limit", `$each($merge([1..9999].{$string($): $}), function($v){[1..9999]})`},
		{"a sort of 10^7", "limit", `$sort([1..10000000])`},
		{"a sort by recursion", "limit", `[1..10000]^($count([1..10000]))`},
		{"sorts in sorts", "limit", `[1..10000]^($sort([1..10000])[0])`},
		{"shuffles", "limit", `$map([1..10000], function($v){$shuffle([1..10000])[0]})`},
		{"distinct objects", "limit", `$count($distinct([1..9999].{"a": $, "b": [$]}))`},

		{"backtracking", "harmless", `$match("` + again(60, "a") + `", /(a+)+$/)`},
		{"backtracking in $replace", "harmless", `$replace("` + again(60, "a") + `", /(a*)*b?/, "")`},
		{"backtracking in $split", "harmless", `$count($split("` + again(1000, "a") + `", /(a|aa)+$/))`},
		{"a big pattern", "text", `$contains("x", /` + again(200, "(?:abcdefgh){100}") + `/)`},
		{"patterns within patterns", "text", `$contains("x", /((a{1000}){1000}){1000}/)`},
		{"a big pattern and a long text", "limit", `(` + big + `$match($s, /(?:a?b?c?d?e?f?g?){100}z/))`},
		{"every sign matches", "limit", `(` + big + `$match($s, /./))`},

		{"a nest of 10,000 brackets", "text", again(10_000, "(") + "1" + again(10_000, ")")},
		{"a nest of 150 brackets", "text", again(150, "[") + "1" + again(150, "]")},
		{"a nest of 150 objects", "text", again(150, `{"a":`) + "1" + again(150, "}")},
		{"a nest of 4,000 signs", "harmless", again(4_000, "-") + "1"},
		{"a chain of 4,000", "harmless", "1" + again(3_900, "+1")},
		{"a path of 4,000 names", "harmless", "a" + again(4_000, ".a")},
		{"a nest of conditions", "harmless", again(1_500, "a?1:") + "1"},
		{"an expression of 1 MB", "text", again(1<<20, "a")},

		{"$eval of a nest", "limit", `$eval($pad("", 9000, "(") & "1")`},
		{"$eval of $eval", "limit", `$eval("[1..100000000]")`},
		{"a number of 10^9 digits", "limit", `$formatNumber(1, $pad("", 9999, "0"))`},
		{"endless exponents", "harmless", `$formatNumber(1e300, "0e0")`},
		{"a Roman number of 10^15", "harmless", `$formatInteger(1e15, "I")`},
		{"a number in words", "harmless", `$formatInteger(1e300, "w")`},
		{"a date padded to 10^9", "harmless", `$fromMillis(0, "[M,999999999-999999999]")`},
		{"a date of many parts", "limit", `$fromMillis(0, $join($map([1..5000], function($v){"[Y0001]"})))`},
		{"a date read by a long picture", "limit", `$toMillis("1", $join($map([1..5000], function($v){"[Y]"})))`},
		{"a power without end", "error", `$power(10, 400)`},
		{"rounding to 10^9 places", "harmless", `$round(1.5, 1000000000)`},
		{"prototype-like keys", "harmless", `{"__proto__": {"constructor": 1}, "toString": $lookup($, "__proto__")}`},
		{"prototype-like paths", "harmless", "`__proto__`.constructor.constructor('x')"},
		{"huge output", "limit", `[1..10000].{"number": $, "text": "0123456789"}`},
		{"a text as output", "limit", `$pad("", 9999, "x") & ` + again(7, `$pad("", 9999, "x") & `) + `""`},
		{"waiting for the clock", "limit", `($f := function($end){$millis() > $end ? 1 : $f($end)}; $f($millis() + 100000))`},
		{"chance", "limit", `($f := function(){$random() > 2 ? 1 : $f()}; $f())`},
	}
}

// It runs alone: it looks at the memory of the whole process.
func TestBombs(t *testing.T) {
	if len(bombs()) < 80 {
		t.Fatalf("%d bombs are not 80", len(bombs()))
	}
	const most = 96 << 20 // made in all, the tests' own texts included
	document := decode(t, `{"email": "a@b"}`)
	for _, bomb := range bombs() {
		name, want, text := bomb[0], bomb[1], bomb[2]
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		got := explode(t, text, document)
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		if got != want && (want != "harmless" || got != "limit") { // on a busy machine time is short
			t.Errorf("%s: %s, want %s", name, got, want)
		}
		if made := after.TotalAlloc - before.TotalAlloc; made > most {
			t.Errorf("%s makes %d MB", name, made>>20)
		}
		if took > 5*time.Second { // the machine may be busy, and the race detector on
			t.Errorf("%s takes %v", name, took)
		}
	}
}

// explode says what becomes of a bomb.
func explode(t *testing.T, text string, document any) string {
	t.Helper()
	e, err := jsonata.Parse(text)
	if err != nil {
		return "text"
	}
	_, _ = e.Fields()
	_, _, err = e.Evaluate(t.Context(), document)
	switch {
	case errors.Is(err, jsonata.TooMuch):
		return "limit"
	case err != nil:
		return fmt.Sprintf("error%.0s", err)
	}
	return "harmless"
}

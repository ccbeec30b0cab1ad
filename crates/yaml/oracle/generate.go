package main

import (
	"math/rand"
	"strconv"
	"strings"
)

// generator makes texts and values that are likely to meet a rule of YAML.
type generator struct{ *rand.Rand }

func (g *generator) pick(list []string) string { return list[g.Intn(len(list))] }

var scalars = []string{
	"y", "Y", "yes", "Yes", "YES", "yEs", "n", "N", "no", "No", "NO", "on", "On", "ON", "oN", "off", "Off",
	"OFF", "true", "True", "TRUE", "tRUE", "false", "False", "FALSE", "null", "Null", "NULL", "nULL", "~",
	"~x", "0", "-0", "+0", "00", "07", "08", "0o7", "0O7", "0x1f", "0X1F", "0b101", "0B1", "-0b1", "0b-1",
	"0o-1", "-0o7", "+0x10", "1_000", "1__0", "_1", "1_", "0x_1", "1.", ".5", "-.5", "+.5", ".", "..", "-", "+",
	"1e3", "1e+3", "1E-3", "1e", "1.5e3", "1e400", "-1e400", ".inf", "-.inf", "+.INF", ".Inf", ".nan", ".NaN",
	"inf", "nan", "Infinity", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
	"-9223372036854775809", "18446744073709551615", "18446744073709551616", "+9223372036854775808",
	"0xffffffffffffffff", "0x10000000000000000", "12:30:45", "1:30", "-1:30", "1:60", "12:30:45.5", "190:20:30",
	"2001-01-01", "2001-1-1", "2001-13-01", "2001-02-30", "2001-01-01T00:00:00Z", "2001-12-14t21:59:43.10-05:00",
	"2001-12-14 21:59:43.10", "2001-12-14 21:59:43", "2001-12-14T21:59:43", "20010101", "<<", "=", "1.2.3", "v1",
	"1e5a", "0.1e1_0", "1_0.5_0", "1,000", "0x", "0o", "0b", "1.0", "100.0", "1e20", "1e21", "123456789.0",
	"0.000001", "0.0000001", "1e-7", "3.14", "1.7976931348623157e308", "5e-324", "!!str 1", "!!int '7'",
	"!!int x", "!!float 1", "!!float x", "!!bool yes", "!!bool 1", "!!null ''", "!!null x", "!!binary aGVsbG8=",
	"!!binary a", "!!timestamp 2001-01-01", "!!timestamp x", "!foo bar", "! 12", "! '12'", "!!merge <<",
	"'yes'", "\"yes\"", "'it''s'", "\"\\u00e9\\x41\\n\\t\\\\\"", "\"a\\\n  b\"", "\"\\U0001F600\"", "\"\\/\"", "\"\\e\"",
	"a b", "a  b", "a: b", "a :b", "a:b", ":a", "a#b", "a #b", "#a", "-a", "- a", "?a", "? a", "a?", "[a]", "{a}",
	"{a: b}", "[a, b]", "[a,b", "a]", "*a", "&a b", "&a", "%a", "@a", "`a", "|", ">", "'", "\"", "é", "日本", "😀",
	"a\tb", "\ta", "a\t", "...", "---", "--- a", "http://x:80/", "C:\\x", "x: ", "''", "\"\"", "",
}

const alphabet = "0123456789+-._eExXoObB:yYnN~<TZ aAfF#,"

func (g *generator) scalarText() string {
	switch g.Intn(5) {
	case 0, 1:
		return g.pick(scalars)
	case 2:
		return g.pick(scalars) + g.pick(scalars)
	}
	var b strings.Builder
	for i, n := 0, 1+g.Intn(8); i < n; i++ {
		b.WriteByte(alphabet[g.Intn(len(alphabet))])
	}
	return b.String()
}

var words = []string{"a", "b", "name", "x-1", "k8s.io/app", "1", "true", "'q'", "\"d\"", "long key", "y"}

// document makes a YAML document that is mostly valid.
func (g *generator) document() string {
	var b strings.Builder
	if g.Intn(6) == 0 {
		b.WriteString("# comment\n")
	}
	if g.Intn(8) == 0 {
		b.WriteString("base: &base\n  k: v\n  n: 1\n")
		b.WriteString("use:\n  n: 2\n  <<: *base\n  m: [*base]\n")
	}
	g.block(&b, 0, 0)
	text := b.String()
	if g.Intn(5) == 0 {
		text = strings.TrimRight(text, "\n")
	}
	if g.Intn(12) == 0 {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	return text
}

func (g *generator) block(b *strings.Builder, indent, depth int) {
	pad := strings.Repeat(" ", indent)
	list := depth > 0 && g.Intn(3) == 0
	for i, n := 0, 1+g.Intn(4); i < n; i++ {
		if list {
			b.WriteString(pad + "-")
		} else {
			b.WriteString(pad + g.pick(words) + strconv.Itoa(i) + ":")
		}
		if g.Intn(12) == 0 {
			b.WriteString(" # note")
			b.WriteString("\n")
			continue
		}
		switch k := g.Intn(10); {
		case k < 2 && depth < 4:
			b.WriteString("\n")
			g.block(b, indent+2, depth+1)
		case k == 2:
			g.blockScalar(b, indent)
		case k == 3:
			b.WriteString(" " + g.flow(0) + "\n")
		case k == 4:
			b.WriteString(" " + g.pick(scalars) + "\n" + pad + "  " + g.pick([]string{"more", "text # c", "'x'", "\n", "- z"}) + "\n")
		case k == 5:
			b.WriteString(" \"two\n" + pad + "  lines  \n\n" + pad + "  here\"\n")
		default:
			b.WriteString(" " + g.pick(scalars) + "\n")
		}
	}
}

func (g *generator) blockScalar(b *strings.Builder, indent int) {
	b.WriteString(" " + g.pick([]string{"|", ">", "|-", ">-", "|+", ">+", "|2", ">2-", "|1+"}) + "\n")
	for i, n := 0, g.Intn(5); i < n; i++ {
		extra := g.pick([]string{"", "", "", "  ", " ", "\t"})
		b.WriteString(strings.Repeat(" ", indent+2) + extra + g.pick([]string{"line", "# no comment", "a: b", "", "- x", "tail  "}) + "\n")
		if g.Intn(4) == 0 {
			b.WriteString("\n")
		}
	}
}

func (g *generator) flow(depth int) string {
	n := g.Intn(4)
	parts := make([]string, 0, n)
	list := g.Intn(2) == 0
	for i := 0; i < n; i++ {
		item := g.pick([]string{"a", "1", "yes", "'q, r'", "\"s\"", "null", "", "1.5", "x y", "http://h:1", "a:b", "*"})
		if depth < 2 && g.Intn(3) == 0 {
			item = g.flow(depth + 1)
		}
		if !list {
			item = g.pick(words) + strconv.Itoa(i) + g.pick([]string{": ", ": ", ":"}) + item
		}
		parts = append(parts, item)
	}
	text := strings.Join(parts, g.pick([]string{", ", ",", ",\n      "}))
	if list {
		return "[" + text + "]"
	}
	return "{" + text + "}"
}

var pieces = []string{" ", "\n", ":", "-", "'", "\"", "[", "]", "{", "}", ",", "#", "&a ", "*a", "|", "\t", "!", "%", "x", "\n\n", "  "}

// mutate breaks a text a little.
func (g *generator) mutate(text string) string {
	for i, n := 0, 1+g.Intn(2); i < n && text != ""; i++ {
		runes := []rune(text)
		at := g.Intn(len(runes))
		switch g.Intn(3) {
		case 0:
			text = string(runes[:at]) + string(runes[at+1:])
		default:
			text = string(runes[:at]) + g.pick(pieces) + string(runes[at:])
		}
	}
	return text
}

func (g *generator) stream() string {
	var b strings.Builder
	if g.Intn(10) == 0 {
		b.WriteString("\ufeff")
	}
	for i, n := 0, 1+g.Intn(5); i < n; i++ {
		if i > 0 || g.Intn(3) == 0 {
			b.WriteString(g.pick([]string{"---\n", "---\n", "---\n", "--- \n", "--- # c\n", "---\r\n", "...\n---\n", "---x\n", "--- x\n", " ---\n"}))
		}
		switch g.Intn(9) {
		case 0:
			b.WriteString("# only a comment\n")
		case 1:
		case 2:
			b.WriteString(g.pick([]string{"null\n", "~\n", "a\n", "[1]\n", "{\"a\":1}\n", "{\"a\":1}{\"b\":2}\n", "{\"a\":1}\n{\"b\":2}\n"}))
		case 3:
			b.WriteString(g.document() + "\n")
		default:
			b.WriteString("kind: K" + strconv.Itoa(i) + "\na: " + g.pick(scalars[:40]) + "\n")
		}
	}
	return b.String()
}

var fragments = []string{
	"a", "b", "word", "longer", " ", "  ", "\n", "\n\n", "\t", ":", ": ", " #", "#", "-", "- ", "?", "'", "\"", "\\", ",", "[", "]",
	"{", "}", "&", "*", "!", "|", ">", "%", "@", "`", "é", "日本語", "😀", "\u00a0", "\u0085", "\u2028", "\u2029", "\ufeff", "\u0007",
	"\u001b", "\r", "\r\n", "\ufffd", "\u200b", "0", "1", ".", "~", "=", "<", "---", "...",
}

func (g *generator) nastyString() string {
	switch g.Intn(6) {
	case 0:
		return g.scalarText()
	case 1:
		n := 5 + g.Intn(60)
		var b strings.Builder
		for i := 0; i < n; i++ {
			b.WriteString(g.pick([]string{"word", "a", "longerword", "x:y", "it's", "\"q\"", "é", "http://example.org/path", "  ", "😀"}))
			b.WriteString(g.pick([]string{" ", " ", " ", " ", "  ", "\n", ", "}))
		}
		if g.Intn(2) == 0 {
			return strings.ReplaceAll(b.String(), "\n", " ")
		}
		return b.String()
	}
	var b strings.Builder
	for i, n := 0, 1+g.Intn(6); i < n; i++ {
		b.WriteString(g.pick(fragments))
	}
	return b.String()
}

func (g *generator) keyText() string {
	var b strings.Builder
	for i, n := 0, 1+g.Intn(5); i < n; i++ {
		b.WriteString(g.pick([]string{"a", "b", "A", "1", "2", "0", "10", "-", "_", ".", "/", "é", "key", "00"}))
	}
	return b.String()
}

func (g *generator) value(depth int) any {
	k := g.Intn(10)
	if depth == 0 && g.Intn(4) > 0 {
		k = 8 + g.Intn(2)
	}
	if depth > 4 && k > 7 {
		k = g.Intn(8)
	}
	switch k {
	case 0:
		return nil
	case 1:
		return g.Intn(2) == 0
	case 2:
		return g.Int63() >> uint(g.Intn(60))
	case 3:
		return -(g.Int63() >> uint(g.Intn(60)))
	case 4:
		return g.float()
	case 5, 6, 7:
		return g.nastyString()
	case 8:
		list := make([]any, g.Intn(4))
		for i := range list {
			list[i] = g.value(depth + 1)
		}
		return list
	}
	m := map[string]any{}
	for i, n := 0, g.Intn(5); i < n; i++ {
		key := g.keyText()
		if g.Intn(8) == 0 {
			key = g.nastyString()
		}
		m[key] = g.value(depth + 1)
	}
	return m
}

func (g *generator) float() float64 {
	f, err := strconv.ParseFloat(g.numberText(), 64)
	if err != nil {
		return 0.5
	}
	return f
}

func (g *generator) numberText() string {
	var b strings.Builder
	if g.Intn(4) == 0 {
		b.WriteString("-")
	}
	digits := func(n int) {
		for i := 0; i < n; i++ {
			b.WriteByte(byte('0' + g.Intn(10)))
		}
	}
	if g.Intn(10) > 0 {
		b.WriteByte(byte('1' + g.Intn(9)))
		digits(g.Intn(22))
	} else {
		b.WriteString("0")
	}
	if g.Intn(2) == 0 {
		b.WriteString(".")
		digits(1 + g.Intn(8))
	}
	if g.Intn(3) == 0 {
		b.WriteString(g.pick([]string{"e", "E", "e-", "e+"}))
		digits(1 + g.Intn(3))
	}
	return b.String()
}

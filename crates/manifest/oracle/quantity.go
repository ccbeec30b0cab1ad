package main

import (
	"fmt"
	"math/rand"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
)

var suffixes = []string{"", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei",
	"e0", "e3", "E3", "e-3", "e9", "e+6", "e", "i", "K", "mi", "e1.5", "Kii", "ee3", " Mi"}

func number(random *rand.Rand) string {
	var text strings.Builder
	text.WriteString([]string{"", "", "", "-", "+"}[random.Intn(5)])
	digits := func(n int) {
		for i := 0; i < n; i++ {
			if random.Intn(3) == 0 {
				text.WriteByte('0')
			} else {
				text.WriteByte(byte('0' + random.Intn(10)))
			}
		}
	}
	digits([]int{0, 1, 1, 2, 3, 4, 6, 9, 15, 19, 22}[random.Intn(11)])
	if random.Intn(2) == 0 {
		text.WriteByte('.')
		digits([]int{0, 1, 1, 2, 3, 3, 6, 10, 12}[random.Intn(9)])
	}
	return text.String()
}

func quantities() []string {
	random := rand.New(rand.NewSource(seed))
	texts := []string{"", "0", "+", "-", ".", "1", "1.500", "01Mi", "+1Mi", "1000E", "0.5", "1.", ".5", "1e", "0x1", "1_0",
		"9223372036854775807", "9223372036854775808", "9223372036854775807Ki", "-9223372036854775809Ki", "0.0000000001",
		"1.5Gi", "1Ei", "8Ei", "7Ei", "1024", "1023Ki", "1024Ki", "1048576", "0Ki", "0.000Gi", "100m", "1000m", "1500m", "12e6"}
	for len(texts) < 700 {
		texts = append(texts, number(random)+suffixes[random.Intn(len(suffixes))])
	}
	var lines []string
	for _, text := range texts {
		quantity, err := resource.ParseQuantity(text)
		if err != nil {
			lines = append(lines, fmt.Sprintf("%s\terror\t%s", text, err))
			continue
		}
		canonical, suffix := quantity.CanonicalizeBytes(nil)
		lines = append(lines, fmt.Sprintf("%s\t%s\t%s%s\t%s", text, quantity.String(), canonical, suffix, quantity.Format))
	}
	return lines
}

func comparisons() []string {
	random := rand.New(rand.NewSource(seed + 1))
	valid := suffixes[:19]
	var lines []string
	for len(lines) < 300 {
		left := number(random) + valid[random.Intn(len(valid))]
		right := number(random) + valid[random.Intn(len(valid))]
		a, err := resource.ParseQuantity(left)
		b, err2 := resource.ParseQuantity(right)
		if err != nil || err2 != nil {
			continue
		}
		lines = append(lines, fmt.Sprintf("%s\t%s\t%d", left, right, a.Cmp(b)))
	}
	return lines
}

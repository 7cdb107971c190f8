package simulate

import "testing"

// BenchmarkNext measures records of all platforms without the cost of a classifier; one record is one operation.
func BenchmarkNext(b *testing.B) {
	s, err := New(Config{Seed: 1, Events: max(b.N, 1000), Label: hashLabel})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	bytes := int64(0)
	for range b.N {
		r, ok := s.Next()
		if !ok {
			b.Fatal("the story ended early")
		}
		bytes += int64(len(r.Value))
	}
	b.ReportMetric(float64(bytes)/float64(b.N), "B/record")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

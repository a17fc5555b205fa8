package npz_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"web-backend/internal/npz"
)

// BenchmarkFloats32 opens the file of a motion of medium size and decodes its
// rotations.
func BenchmarkFloats32(b *testing.B) {
	const frames, joints = 150, 55
	random := rand.New(rand.NewPCG(1, 1))
	singles, doubles := make([]float32, frames*joints*9), make([]float64, frames*joints*9)
	for i := range singles {
		singles[i] = random.Float32()*2 - 1
		doubles[i] = float64(singles[i])
	}
	shape := tuple([]int{frames, joints, 3, 3})
	swapped := little(singles)
	for i := 0; i < len(swapped); i += 4 {
		swapped[i], swapped[i+1], swapped[i+2], swapped[i+3] = swapped[i+3], swapped[i+2], swapped[i+1], swapped[i]
	}
	little4 := array("rotmat", "<f4", shape, string(little(singles)))
	stored := little4
	stored.stored = true
	fortran := entry{name: "rotmat.npy", stored: true,
		data: npy("{'descr': '<f4', 'fortran_order': True, 'shape': "+shape+", }", string(little(singles)))}
	big := array("rotmat", ">f4", shape, string(swapped))
	big.stored = true
	for _, bench := range []struct {
		name  string
		entry entry
	}{
		{"DEFLATE", little4}, {"stored", stored}, {"stored,bigEndian", big}, {"stored,Fortran", fortran},
		{"DEFLATE,f8", array("rotmat", "<f8", shape, string(little(doubles)))},
	} {
		b.Run(bench.name, func(b *testing.B) {
			data := archive(b, bench.entry)
			b.SetBytes(int64(4 * len(singles)))
			b.ReportAllocs()
			for b.Loop() {
				f, err := npz.Open(bytes.NewReader(data), int64(len(data)), npz.Limits{EntryBytes: 1 << 30, TotalBytes: 1 << 30})
				if err == nil {
					_, _, err = f.Floats32("rotmat")
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

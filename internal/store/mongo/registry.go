package mongo

import (
	"fmt"
	"math"
	"reflect"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// registry returns the decoders for values in old documents (contract §6). A
// threshold may be an int32, an int64 or a double, and a speed may be any
// number. A null or a number that is not finite counts as an absent value.
// Encoding stays the driver's own: int32, double, bool and string.
func registry() *bson.Registry {
	r := bson.NewRegistry()
	r.RegisterTypeDecoder(reflect.TypeFor[int32](), bson.ValueDecoderFunc(decodeNumber))
	r.RegisterTypeDecoder(reflect.TypeFor[float64](), bson.ValueDecoderFunc(decodeNumber))
	return r
}

// decodeNumber reads any BSON number into an int32 or a float64. For a null or
// a number that is not finite it keeps the current value.
func decodeNumber(_ bson.DecodeContext, reader bson.ValueReader, target reflect.Value) error {
	var number float64
	switch reader.Type() {
	case bson.TypeInt32:
		n, err := reader.ReadInt32()
		if err != nil {
			return err
		}
		number = float64(n)
	case bson.TypeInt64:
		n, err := reader.ReadInt64()
		if err != nil {
			return err
		}
		number = float64(n)
	case bson.TypeDouble:
		n, err := reader.ReadDouble()
		if err != nil {
			return err
		}
		number = n
	case bson.TypeNull:
		return reader.ReadNull()
	default:
		return fmt.Errorf("a BSON %s where a number belongs", reader.Type())
	}
	if math.IsNaN(number) || math.IsInf(number, 0) { // JSON cannot hold these, so the character would be unreadable
		return nil
	}
	if target.Kind() == reflect.Float64 {
		target.SetFloat(number)
		return nil
	}
	target.SetInt(int64(max(math.MinInt32, min(math.MaxInt32, math.Round(number)))))
	return nil
}

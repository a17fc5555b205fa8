package motion_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"web-backend/internal/motion"
	"web-backend/internal/motion/motionpb"
)

// Any message of a client is either a request that has a response, or is
// refused with a reason that fits into a close frame.
func FuzzParseRequest(f *testing.F) {
	for _, class := range []string{"VersionV1Request", "RestposeV1Request", "MeshV1Request", "MotionFileV1Request", "ünknown"} {
		message, err := proto.Marshal(&motionpb.MotionFileV1Request{ClassName: class, Avatar: "KQ-default", AppName: "babylon"})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(message)
	}
	message, err := proto.Marshal(&motionpb.MotionFileV1Request{ClassName: "BlendshapesMetaV1Request", Avatar: strings.Repeat("\x01", 99)})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(message) // quoting makes its reason four times as long
	want, _ := readExpected(f)
	g, err := motion.Load(f.Context(), sources(golden, want.Files), motion.Options{FloatType: motion.Float32, Strict: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		request, err := motion.ParseRequest(message)
		for part, responseErr := range g.Respond(t.Context(), request) {
			if err == nil {
				err = responseErr
			}
			if responseErr == nil && part.Size() == 0 {
				t.Error("a response is empty")
			}
		}
		var refused *motion.RequestError
		if err != nil && (!errors.As(err, &refused) || len(err.Error()) > 123 || !utf8.ValidString(err.Error())) {
			t.Errorf("the refusal is %q", err)
		}
	})
}

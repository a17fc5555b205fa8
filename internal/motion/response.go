package motion

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"web-backend/internal/motion/motionpb"
)

// Message is one encoded response message: Head, followed by the bytes of File.
type Message struct {
	Head []byte
	File *io.SectionReader // nil if there is no file
}

// Size returns the size in bytes.
func (m Message) Size() int64 {
	if m.File == nil {
		return int64(len(m.Head))
	}
	return int64(len(m.Head)) + m.File.Size()
}

// RequestError is the error for a request that has no response. Its text is
// valid UTF-8 of at most 123 bytes, which is the maximum in a close frame (RFC
// 6455 §5.5).
type RequestError struct{ text string }

func (e *RequestError) Error() string { return e.text }

func refuse(format string, args ...any) error {
	return &RequestError{fmt.Sprintf(format, args...)}
}

// ErrChanged says that a clip has changed since its generation was made. The
// next generation will contain the new clip.
var ErrChanged = errors.New("the motion files changed; a new generation is being made")

// Request is a request of a client.
type Request struct {
	class, avatar string
	app           App
}

// The requests whose response is one unchanged file.
var fileRequests = map[string]struct {
	kind     Kind
	response string
}{
	"MeshV1Request":            {Meshes, "MeshV1Response"},
	"JointsMetaV1Request":      {Joints, "JointsMetaV1Response"},
	"RigidsMetaV1Request":      {Rigids, "RigidsMetaV1Response"},
	"BlendshapesMetaV1Request": {Blendshapes, "BlendshapesMetaV1Response"},
}

// The other requests.
const (
	versionRequest  = "VersionV1Request"
	restposeRequest = "RestposeV1Request"
	clipsRequest    = "MotionFileV1Request"
)

// ParseRequest parses the message of a client. The error is a [RequestError].
func ParseRequest(message []byte) (Request, error) {
	var m motionpb.MotionFileV1Request
	if err := proto.Unmarshal(message, &m); err != nil {
		return Request{}, refuse("the message is not a MotionFileV1Request")
	}
	r := Request{class: m.GetClassName(), avatar: m.GetAvatar()}
	switch r.class {
	case versionRequest, restposeRequest:
	case clipsRequest:
		var ok bool
		if r.app, ok = ParseApp(m.GetAppName()); !ok {
			return Request{}, refuse("unknown app_name %q", shortest(m.GetAppName()))
		}
	default:
		if _, ok := fileRequests[r.class]; !ok {
			return Request{}, refuse("unknown class_name %q", shortest(r.class))
		}
	}
	return r, nil
}

// shortest limits the length of text that an error repeats. Quoting can turn
// one byte into four, and the size of a RequestError is limited.
func shortest(text string) string { return text[:min(len(text), 20)] }

// String returns the kind of the request for the log. It omits the avatar,
// because its text comes from the client.
func (r Request) String() string { return r.class }

// IsDownload reports whether the response may be long.
func (r Request) IsDownload() bool { return r.class != versionRequest }

// Respond returns the response messages to r, in their order. The first error
// ends the sequence. It is a [RequestError] if the generation has no data for
// the avatar.
func (g *Generation) Respond(ctx context.Context, r Request) iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		switch r.class {
		case versionRequest:
			yield(whole(&motionpb.MotionFileV1Response{ClassName: "VersionV1Response", Version: g.version}))
		case restposeRequest:
			response := g.responses[r.avatar]
			if response == nil {
				yield(Message{}, refuse("no rest pose of avatar %q", shortest(r.avatar)))
				return
			}
			yield(Message{Head: response}, nil)
		case clipsRequest:
			g.respondWithClips(ctx, r, yield)
		default:
			yield(g.fileResponse(r))
		}
	}
}

func (g *Generation) respondWithClips(ctx context.Context, r Request, yield func(Message, error) bool) {
	clips := g.avatars[r.avatar]
	if len(clips) == 0 {
		yield(Message{}, refuse("no motions of avatar %q", shortest(r.avatar)))
		return
	}
	for _, c := range clips {
		message, err := g.message(ctx, c, r.app)
		if !yield(Message{Head: message}, err) || err != nil {
			return
		}
	}
	yield(whole(&motionpb.MotionFileV1Response{ClassName: "MotionFileEndV1Response"}))
}

// fileResponse returns a response with a file. If an avatar does not have an
// optional file, the response does not contain data.
func (g *Generation) fileResponse(r Request) (Message, error) {
	request := fileRequests[r.class]
	message, err := whole(&motionpb.MotionFileV1Response{ClassName: request.response})
	if err != nil {
		return Message{}, err
	}
	static := g.static[request.kind][r.avatar]
	switch {
	case static != nil && static.file.Size() > 0:
		const dataField = 17 // the last field, so the file can follow unchanged
		message.Head = protowire.AppendTag(message.Head, dataField, protowire.BytesType)
		message.Head = protowire.AppendVarint(message.Head, uint64(static.file.Size())) //nolint:gosec // not negative
		message.File = io.NewSectionReader(static.file, 0, static.file.Size())
	case static == nil && !request.kind.optional():
		return Message{}, refuse("no %s of avatar %q", request.kind, shortest(r.avatar))
	}
	return message, nil
}

// whole returns a message that is completely in memory.
func whole(m *motionpb.MotionFileV1Response) (Message, error) {
	head, err := marshal(m)
	return Message{Head: head}, err
}

// Command protobuf compiles the .proto files of this repository to Go. With
// -check it writes nothing, and fails if a generated file differs from what it
// would write.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/protoutil"
	gengo "google.golang.org/protobuf/cmd/protoc-gen-go/internal_gengo"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

// schemas are the .proto files, relative to the root of the repository.
var schemas = []string{"internal/motion/motionpb/motion_file_v1.proto"}

func main() {
	root := flag.String("root", "..", "root of the repository")
	check := flag.Bool("check", false, "compare instead of writing")
	flag.Parse()
	for _, schema := range schemas {
		if err := run(filepath.Join(*root, schema), *check); err != nil {
			fmt.Fprintln(os.Stderr, "protobuf:", err)
			os.Exit(1)
		}
	}
}

func run(schema string, check bool) error {
	generated, err := compile(schema)
	if err != nil {
		return err
	}
	target := strings.TrimSuffix(schema, ".proto") + ".pb.go"
	if !check {
		return os.WriteFile(target, generated, 0o644) //nolint:gosec // source code, which everybody may read
	}
	present, err := os.ReadFile(target)
	if err != nil {
		return err
	}
	if !bytes.Equal(present, generated) {
		return fmt.Errorf("%s is not what %s gives; run `make proto`", target, filepath.Base(schema))
	}
	return nil
}

// compile returns the Go code of one schema.
func compile(schema string) ([]byte, error) {
	name := filepath.Base(schema)
	compiler := protocompile.Compiler{
		Resolver:       &protocompile.SourceResolver{ImportPaths: []string{filepath.Dir(schema)}},
		SourceInfoMode: protocompile.SourceInfoStandard, // keep the comments
	}
	files, err := compiler.Compile(context.Background(), name)
	if err != nil {
		return nil, err
	}
	plugin, err := protogen.Options{}.New(&pluginpb.CodeGeneratorRequest{
		FileToGenerate: []string{name},
		ProtoFile:      []*descriptorpb.FileDescriptorProto{protoutil.ProtoFromFileDescriptor(files[0])},
		Parameter:      new("paths=source_relative"),
	})
	if err != nil {
		return nil, err
	}
	gengo.GenerateFile(plugin, plugin.FilesByPath[name])
	response := plugin.Response()
	if response.Error != nil {
		return nil, errors.New(response.GetError())
	}
	return []byte(response.GetFile()[0].GetContent()), nil
}

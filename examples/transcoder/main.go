// A transcoder: JSON over HTTP in front of Clientele, by the annotations of the contract (google.api.http). It has no code of
// Clientele's own: it reads the contract as the descriptor set that `clientele descriptor` prints.
//
//	cargo run --quiet -- descriptor > target/clientele.binpb
//	go -C examples/transcoder build -o ../../target/transcoder .
//	target/transcoder --descriptor target/clientele.binpb --server http://127.0.0.1:50051
//
// It passes headers on, so callers send the same token and the same clientele-account as over gRPC. It has no limits and no TLS of
// its own: put it where your gateway has both.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"connectrpc.com/vanguard"
	_ "google.golang.org/genproto/googleapis/rpc/errdetails" // the details of errors, as JSON
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// How long a request that is being answered may take after a signal.
const drainTimeout = 20 * time.Second

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "`address` to listen on; port 0 picks a free one")
	server := flag.String("server", "http://127.0.0.1:50051", "`URL` of Clientele, http or https")
	descriptor := flag.String("descriptor", "", "`file` with the output of clientele descriptor")
	flag.Parse()
	if err := run(*listen, *server, *descriptor); err != nil {
		fmt.Fprintln(os.Stderr, "transcoder:", err)
		os.Exit(1)
	}
}

func run(listen, server, descriptor string) error {
	services, err := contract(descriptor)
	if err != nil {
		return fmt.Errorf("--descriptor: %w", err)
	}
	upstream, err := url.Parse(server)
	if err != nil || upstream.Host == "" || (upstream.Scheme != "http" && upstream.Scheme != "https") {
		return fmt.Errorf("--server: %q is not of the form http://HOST:PORT", server)
	}
	transcoder, err := transcode(services, proxy(upstream))
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	fmt.Printf("ready on %s\n", listener.Addr())

	stop, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	web := &http.Server{Handler: transcoder, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- web.Serve(listener) }()
	select {
	case err = <-served:
		return err
	case <-stop.Done():
	}
	drain, cancelDrain := context.WithTimeout(context.Background(), drainTimeout)
	defer cancelDrain()
	return web.Shutdown(drain)
}

// The services of the contract, as the file describes them.
func contract(file string) ([]protoreflect.ServiceDescriptor, error) {
	if file == "" {
		return nil, errors.New("is missing: name a file with the output of `clientele descriptor`")
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	// The annotations are known because vanguard imports them; all else is dynamic.
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(content, set); err != nil {
		return nil, fmt.Errorf("%s is not a descriptor set: %w", file, err)
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	services := servicesOf(files)
	if len(services) == 0 {
		return nil, fmt.Errorf("%s has no service of clientele", file)
	}
	return services, nil
}

func servicesOf(files *protoregistry.Files) (services []protoreflect.ServiceDescriptor) {
	files.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		if strings.HasPrefix(string(file.Package()), "clientele.") {
			for index := range file.Services().Len() {
				services = append(services, file.Services().Get(index))
			}
		}
		return true
	})
	return services
}

// Calls of Clientele by gRPC, over HTTP/2 also without TLS.
func proxy(upstream *url.URL) http.Handler {
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &httputil.ReverseProxy{
		Rewrite:       func(request *httputil.ProxyRequest) { request.SetURL(upstream) },
		Transport:     &http.Transport{Protocols: protocols, IdleConnTimeout: time.Minute},
		FlushInterval: -1, // each message of a stream at once
	}
}

func transcode(services []protoreflect.ServiceDescriptor, clientele http.Handler) (http.Handler, error) {
	handled := make([]*vanguard.Service, 0, len(services))
	for _, service := range services {
		handled = append(handled, vanguard.NewServiceWithSchema(
			service, clientele, vanguard.WithTargetProtocols(vanguard.ProtocolGRPC),
			vanguard.WithTargetCodecs(vanguard.CodecProto), vanguard.WithNoTargetCompression(),
		))
	}
	return vanguard.NewTranscoder(handled)
}

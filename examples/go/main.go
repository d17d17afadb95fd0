// The smallest client in Go: it creates a customer, reads it, reads why two calls are refused, and reads the billing report.
//
// examples/README.md has the commands that generate the package clientele/v1 and run this program.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"time"

	"clientele/v1"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// The config that ships with the protos: timeouts for all RPCs, retries for reads.
const serviceConfig = "proto/clientele/v1/service_config.json"

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: smallest ADDRESS TOKEN")
	}
	if err := walk(os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func walk(address, token string) error {
	config, err := os.ReadFile(serviceConfig)
	if err != nil {
		return err
	}
	connection, err := grpc.NewClient(address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(string(config)))
	if err != nil {
		return err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	customers := clientelev1.NewCustomerServiceClient(connection)

	// A request_id makes the call safe to repeat.
	created, err := customers.CreateCustomer(ctx, &clientelev1.CreateCustomerRequest{
		Customer: &clientelev1.Customer{
			Name:         "Kontiki " + rand.Text(),
			BillingEmail: "billing@kontiki.example",
		},
		RequestId: newUUID(),
	})
	if err != nil {
		return err
	}
	id := created.Customer.Id
	fmt.Println("created", created.Customer.Name)

	read, err := customers.GetCustomer(ctx, &clientelev1.GetCustomerRequest{CustomerId: id})
	if err != nil {
		return err
	}
	fmt.Printf("read %s, %s\n", read.Customer.Name, read.Customer.Status)

	// An error has a reason, by which a program decides, and lists every invalid field.
	_, err = customers.CreateCustomer(ctx, &clientelev1.CreateCustomerRequest{
		Customer: &clientelev1.Customer{
			Name:  "Kontiki",
			Email: "nowhere",
			Phone: &clientelev1.Phone{Number: "call us"},
		},
	})
	fmt.Println(refusal(err))
	_, err = customers.GetCustomer(ctx, &clientelev1.GetCustomerRequest{CustomerId: newUUID()})
	fmt.Println(refusal(err))

	// A stream: the billing report, as of one moment.
	report, err := clientelev1.NewBillingServiceClient(connection).StreamBillingReport(ctx,
		&clientelev1.StreamBillingReportRequest{
			Columns: []clientelev1.BillingReportColumn{clientelev1.BillingReportColumn_BILLING_REPORT_COLUMN_NAME},
		})
	if err != nil {
		return err
	}
	found := false
	for {
		message, err := report.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		for _, row := range message.Rows {
			found = found || row.CustomerId == id && row.Name == created.Customer.Name
		}
	}
	fmt.Println("in the billing report:", found)
	return nil
}

// refusal says why the server refused a call: its reason, and the fields that it names.
func refusal(err error) string {
	refused := status.Convert(err)
	reason, fields := "", []string{}
	for _, detail := range refused.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			reason = detail.Reason
		case *errdetails.BadRequest:
			for _, violation := range detail.FieldViolations {
				fields = append(fields, violation.Field)
			}
		}
	}
	if _, known := clientelev1.ErrorReason_value["ERROR_REASON_"+reason]; !known {
		return fmt.Sprint("not an answer of the service: ", err)
	}
	return fmt.Sprintf("refused: %s (%s)", reason, strings.Join(fields, ", "))
}

func newUUID() string {
	bytes := make([]byte, 16)
	rand.Read(bytes)
	bytes[6], bytes[8] = bytes[6]&0x0f|0x40, bytes[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", bytes[:4], bytes[4:6], bytes[6:8], bytes[8:10], bytes[10:])
}

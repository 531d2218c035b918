package ops_test

import (
	"fmt"

	"github.com/gostem/gostem/stem/ops"
)

func ExampleForm() {
	form, err := ops.NewForm(`{"type":"object","properties":{"To":{"type":"string"},"Token":{"type":"string"},"Wait":{"type":"string","format":"go-duration"}},"additionalProperties":false}`)
	if err != nil {
		fmt.Println(err)
		return
	}
	payload, err := form.Payload([]byte(`{"To": "ada", "Wait": "1m30s", "Token": "s3cret"}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(form.JSON(payload, ops.View{Mask: []string{"token"}})))
	_, err = form.Payload([]byte(`{"to": "ada"}`))
	fmt.Println(err)
	// Output:
	// {"To":"ada","Token":"•••","Wait":"1m30s"}
	// args.to: there is no such field: did you mean To?
}

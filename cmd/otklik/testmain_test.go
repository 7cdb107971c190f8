package main

import (
	"os"
	"testing"

	"otklik/deploy/embedded/embeddedtest"
)

// programEnv makes the test binary the program itself, for tests that need it as another process.
const programEnv = "OTKLIK_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(programEnv) != "" {
		main()
		return
	}
	embeddedtest.Main(m)
}

//go:build tools

// Go keeps a requirement in go.mod only while something imports the module. The
// harness needs the CRD manifests that these two ship beside their code, so it
// imports the smallest package of each, in a file that is never compiled.

package main

import (
	_ "github.com/cert-manager/cert-manager/pkg/apis/certmanager"
	_ "sigs.k8s.io/gateway-api/pkg/consts"
)

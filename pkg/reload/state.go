package reload

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/certwire/certwire/pkg/probe"
)

// memory is what outlives the agent's container, by certificate.
type memory map[string]remembered

// remembered is what the agent knows of one certificate.
type remembered struct {
	// Digest, Leaf and NotAfter are of what the server was made to take up last, or found with.
	Digest   string            `json:"digest"`
	Leaf     probe.Fingerprint `json:"leaf"`
	NotAfter time.Time         `json:"notAfter"`
	// Restarted is the digest that the containers were restarted for last: they never are twice for the same one.
	Restarted string `json:"restarted,omitempty"`
	// Since is when the change that is not taken up yet was first seen, and Pending what it is.
	Since   time.Time `json:"since,omitzero"`
	Pending string    `json:"pending,omitempty"`
}

// stateFile is its name in the state directory.
const stateFile = "agent.json"

// recall reads the memory. A file that is not there is an empty memory.
func recall(dir string) (memory, error) {
	m := memory{}
	if dir == "" {
		return m, nil
	}
	data, err := readBounded(filepath.Join(dir, stateFile), maxFile)
	if os.IsNotExist(err) {
		return m, nil
	}
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return memory{}, fmt.Errorf("reading %s: %w", stateFile, err)
	}
	return m, nil
}

// keep writes the memory in one step. Without a directory it does nothing, and fails.
func (m memory) keep(dir string) error {
	if dir == "" {
		return os.ErrNotExist
	}
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, stateFile+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, stateFile))
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

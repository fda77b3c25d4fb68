// Package servers makes an image of real servers for pods of the tests: nginx, HAProxy, PostgreSQL, MariaDB, Redis and
// mosquitto, as Debian packages them. No registry is asked: apt-get brings the packages, nothing is installed, and the
// programs are laid into a folder with the libraries that they need, which test/cluster makes an image of.
//
// Start reading at [Folder].
package servers

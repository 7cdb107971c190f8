// Package deploytest checks what is deployed: the compose file, the image and the chart, and that what they name (commands, flags,
// keys of the configuration, ports, files, volumes) exists. It is a module of its own, so that Kubernetes and Helm stay out of the
// product's dependencies.
package deploytest

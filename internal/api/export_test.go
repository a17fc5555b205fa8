package api

// Routes gives the table of routes, each as method and path: the operations,
// which the OpenAPI document describes, and the pages, which it does not.
func (a *API) Routes() (operations, pages []string) {
	for _, route := range a.routes() {
		name := route.method + " " + route.path
		if route.endpoint.request == nil {
			pages = append(pages, name)
		} else {
			operations = append(operations, name)
		}
	}
	return operations, pages
}

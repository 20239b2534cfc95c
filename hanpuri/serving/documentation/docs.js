// Shows openapi.json with Swagger UI, which asks nobody but this service: no validator, no sign-in of others.
"use strict";

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#documentation",
  validatorUrl: null,
  deepLinking: true,
  tryItOutEnabled: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
  syntaxHighlight: { activated: false },
});

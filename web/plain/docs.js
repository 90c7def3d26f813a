// The documentation page: openapi.json in Swagger UI.
SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#docs',
  deepLinking: true,
  validatorUrl: null, // or it asks validator.swagger.io
});

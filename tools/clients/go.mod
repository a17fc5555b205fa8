module web-backend/tools/clients

go 1.26.8

"""What tests share: homes and warehouses to give commands to, servers, data."""

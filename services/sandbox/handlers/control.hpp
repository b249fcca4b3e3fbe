// The control API under /control/: what a test, the demo or the page does to the played world. JSON in and
// out; a fault in the input is 400 {"error","message","field"}, an unknown course, user, lesson or code 404.
#pragma once

#include "coursegate/http/server.hpp"
#include "domain/world.hpp"

#include <memory>
#include <vector>

namespace coursegate::sandbox {

// Not thread safe; `w` must outlive it.
class control_api
{
public:
    explicit control_api(world& w);
    ~control_api();

    std::vector<http::route> routes() const;

private:
    struct impl;
    std::shared_ptr<impl> impl_;
};

} // namespace coursegate::sandbox

"""What users of confine-orm do: each check is a script of theirs. The server has two nodes in production, a template and a group of the researcher."""

import os
import unittest

from orm.api import Api
from orm.managers import Manager
from orm.resources import Resource

base = os.environ["CONFINE_SERVER_API"]
password = os.environ["CONFINE_PASSWORD"]


def log_in(name):
    api = Api(base)
    api.login(username=name, password=password)
    return api


def own_group(api, name):
    return api.groups.retrieve().get(name=name)


# The interfaces that CONFINE's own examples ask for.
interfaces = [{"nr": "0", "name": "priv", "type": "private"}, {"nr": "1", "name": "mgmt0", "type": "management"}]


class Readers(unittest.TestCase):
    def test_everybody_walks_from_the_root_to_every_object(self):
        api = Api(base)
        api.retrieve()
        for name in ["nodes", "slices", "slivers", "templates", "servers", "islands", "hosts", "groups", "baseimages"]:
            for each in getattr(api, name).retrieve():
                found = api.retrieve(each.uri)
                self.assertEqual(found, each)
                self.assertEqual(found.base.endpoint, base)
                self.assertEqual(getattr(found, name).endpoint, base + name + "/")
        self.assertEqual([node.group.name for node in api.nodes.retrieve()], [os.environ["CONFINE_USER"]] * 2)

    def test_lists_are_filtered_by_the_client_and_by_the_server(self):
        api = Api(base)
        nodes = api.nodes.retrieve()
        self.assertEqual(len(nodes.filter(group__name=os.environ["CONFINE_USER"], set_state="production")), 2)
        self.assertEqual([node.name for node in nodes.exclude(name="n1")], ["n2"])
        # The client cannot name a list with a query, so these are its plain requests.
        for query in ['/name="n2"&/set_state="production"', "per_page=1&page=2"]:
            response = api.get(base + "nodes/?" + query)
            self.assertEqual([node["name"] for node in api.serialize_response(response.content)], ["n2"])

    def test_what_is_known_already_is_asked_for_on_a_condition(self):
        api = Api(base)
        node = api.nodes.retrieve()[0]
        node.retrieve()
        node.retrieve()
        self.assertEqual(api.stats["conditional"], 1)
        self.assertEqual(node.name, "n1")

    def test_a_wrong_password_lets_nobody_in(self):
        with self.assertRaisesRegex(Api.ResponseStatusError, "400 Bad Request .*Unable to login with provided credentials"):
            Api(base).login(username="red", password="wrong")

    def test_changes_nothing_without_logging_in(self):
        api = Api(base)
        with self.assertRaisesRegex(api.ResponseStatusError, "403 Forbidden .*Authentication credentials were not provided"):
            api.slices.create(name="mine")


class Researchers(unittest.TestCase):
    def setUp(self):
        self.api = log_in("red")
        self.addCleanup(self.api.logout)

    def make_slice(self, name):
        defaults = {"instance_sn": 0, "data_uri": "", "overlay_uri": "", "template": self.api.templates.retrieve()[0]}
        made = self.api.slices.create(name=name, group=own_group(self.api, "red"), sliver_defaults=defaults)
        self.addCleanup(lambda: self.api.delete(made.uri))
        return made

    def test_a_slice_is_made_started_renewed_and_removed_with_its_slivers(self):
        made = self.make_slice("whole")
        for node in self.api.nodes.retrieve().filter(set_state="production"):
            sliver = node.slivers.create(slice=made, interfaces=interfaces, template=None, properties={})
            self.assertEqual((sliver.slice, sliver.node), (made, node))
        made.retrieve()
        self.assertEqual(len(made.slivers), 2)
        made.update(set_state="start")
        self.assertEqual(made.set_state, "start")
        self.assertEqual(made.reset().detail, "Slice instructed to reset")
        self.assertEqual(made.renew().detail, "Slice renewed for 30 days")
        made.retrieve()
        self.assertEqual(made.instance_sn, 1)
        slivers = [self.api.retrieve(sliver.uri) for sliver in made.slivers]
        made.delete()
        for sliver in slivers:
            with self.assertRaisesRegex(self.api.ResponseStatusError, "404 Not Found"):
                self.api.retrieve(sliver.uri)

    def test_whole_objects_are_saved_as_they_were_read(self):
        made = self.make_slice("saved")
        made.retrieve()
        made.description = "saved by PUT"
        made.properties = Resource(made.api, colour="red")
        made.save()
        sliver = self.api.slivers.create(slice=made, node=self.api.nodes.retrieve()[0], interfaces=interfaces)
        sliver.retrieve()
        sliver.set_state = "deploy"
        sliver.save()
        self.assertEqual(self.api.retrieve(sliver.uri).set_state, "deploy")
        again = self.api.retrieve(made.uri)
        self.assertEqual((again.description, again.properties.colour, again.set_state), ("saved by PUT", "red", "register"))

    def test_a_sliver_is_made_again_and_tells_its_state(self):
        made = self.make_slice("updated")
        sliver = self.api.slivers.create(slice=made, node=self.api.nodes.retrieve()[0], interfaces=interfaces)
        sliver.retrieve()
        self.assertEqual(sliver.update().detail, "Sliver instructed to update")
        sliver.retrieve()
        self.assertEqual(sliver.instance_sn, 1)
        state = self.api.retrieve(sliver.get_links()["http://confine-project.eu/rel/controller/state"])
        self.assertEqual(state.current, "unknown")

    def test_slivers_are_changed_and_removed_many_at_once(self):
        made = self.make_slice("many")
        for node in self.api.nodes.retrieve():
            self.api.slivers.create(slice=made, node=node, interfaces=interfaces)
        slivers = self.api.slivers.retrieve().filter(slice__name="many")
        successes, failures = slivers.bulk(lambda api: api.partial_update, description="all")
        self.assertEqual((len(successes), len(failures)), (2, 0))
        self.assertEqual(set(self.api.slivers.retrieve().filter(slice__name="many").values_list("description")), {"all"})
        self.assertEqual(len(slivers.destroy()[1]), 0)
        self.assertEqual(len(self.api.slivers.retrieve().filter(slice__name="many")), 0)

    def test_what_is_wrong_is_told_at_the_member(self):
        with self.assertRaisesRegex(self.api.ResponseStatusError, "400 Bad Request .*'name'.*This field is required"):
            self.api.slices.create(group=own_group(self.api, "red"))
        made = self.make_slice("one")
        with self.assertRaisesRegex(self.api.ResponseStatusError, "400 Bad Request .*'set_state'"):
            made.update(set_state="running")

    def test_a_machine_of_the_user_is_registered_and_removed(self):
        host = self.api.hosts.create(name="laptop", mgmt_net={"backend": "tinc"}, tinc=None)
        self.assertEqual(self.api.retrieve(host.uri).owner.name, "red")
        host.update(description="at home")
        self.assertEqual(self.api.retrieve(host.uri).description, "at home")
        host.delete()


class Operators(unittest.TestCase):
    def setUp(self):
        self.api = log_in(os.environ["CONFINE_USER"])
        self.addCleanup(self.api.logout)

    def test_a_node_is_registered_changed_rebooted_and_removed(self):
        node = self.api.nodes.create(name="roof", group=own_group(self.api, os.environ["CONFINE_USER"]), arch="i686", mgmt_net={"backend": "tinc"}, local_iface="eth0", sliver_pub_ipv4="none")
        node.retrieve()
        node.description = "on the roof"
        node.save()
        self.assertEqual(self.api.retrieve(node.uri).description, "on the roof")
        self.assertEqual(node.reboot().detail, "Node instructed to reboot")
        node.retrieve()
        self.assertEqual(node.boot_sn, 1)
        node.delete()

    def test_people_are_let_in(self):
        user = self.api.users.create(name="new", description="")
        user.retrieve()
        self.assertEqual(user.change_auth(password="a ladder and a long rope", email="new@example.org").detail, "User password, email changed successfully")
        group = own_group(self.api, "red")
        group.retrieve()
        roles = [{"user": {"uri": role.user.uri}, "is_group_admin": role.is_group_admin, "is_slice_admin": role.is_slice_admin} for role in group.user_roles]
        group.update(user_roles=roles + [{"user": {"uri": user.uri}, "is_slice_admin": True}])
        self.assertEqual(len(self.api.retrieve(group.uri).user_roles), len(roles) + 1)
        # All objects of this class share their log-in.
        self.api.login(username="new@example.org", password="a ladder and a long rope")
        self.assertEqual(self.api.retrieve(user.uri).email, "new@example.org")
        # Functions that CONFINE does not have answer as its own do.
        self.assertEqual(self.api.retrieve(group.uri).leave().detail, "You are no member of the group any more")
        self.assertEqual(len(self.api.retrieve(group.uri).user_roles), len(roles))

    def test_an_island_is_made_and_removed(self):
        island = self.api.islands.create(name="north", description="")
        self.assertIs(type(island.islands), Manager)
        island.delete()
